"""What a user would otherwise run: prints {"seconds": s} of the work itself, without Python's start and imports.

Not a dependency of the product. Needs dipy; antspyx for `ants`. Usage: python peers.py PEER ARGUMENTS...
"""

import json
import sys
import time


def dipy_wls(dwi, bvals, bvecs, mask, out):
    """dipy's weighted tensor fit with FA and MD, reading and writing included."""
    import nibabel as nib
    import numpy as np
    from dipy.core.gradients import gradient_table
    from dipy.reconst.dti import TensorModel

    def work():
        image = nib.load(dwi)
        data = np.asarray(image.dataobj)
        inside = np.asarray(nib.load(mask).dataobj) > 0
        table = gradient_table(np.loadtxt(bvals), bvecs=np.loadtxt(bvecs).T)
        fit = TensorModel(table, fit_method="WLS").fit(data, mask=inside)
        for name, values in (("FA", fit.fa), ("MD", fit.md)):
            nib.save(nib.Nifti1Image(values.astype("float32"), image.affine), f"{out}_{name}.nii.gz")

    return work


def dipy_motion(dwi, bvals, bvecs, out):
    """dipy's rigid motion correction of a series."""
    import nibabel as nib
    import numpy as np
    from dipy.align import motion_correction
    from dipy.core.gradients import gradient_table

    def work():
        image = nib.load(dwi)
        table = gradient_table(np.loadtxt(bvals), bvecs=np.loadtxt(bvecs).T)
        corrected, _ = motion_correction(
            np.asarray(image.dataobj), table, affine=image.affine, pipeline=["center_of_mass", "translation", "rigid"]
        )
        nib.save(corrected, out)

    return work


def ants(moving, fixed, out):
    """ANTs' default SyN registration, affine first."""
    import ants as library

    def work():
        found = library.registration(library.image_read(fixed), library.image_read(moving), "SyN")
        library.image_write(found["warpedmovout"], out)

    return work


PEERS = {"dipy-wls": dipy_wls, "dipy-motion": dipy_motion, "ants": ants}

work = PEERS[sys.argv[1]](*sys.argv[2:])
started = time.perf_counter()
work()
print(json.dumps({"seconds": time.perf_counter() - started}))
