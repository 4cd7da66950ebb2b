/** Whether a folder that holds no BIDS images holds DICOMs, so that whoever named it is told what to run. */
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Enough to know; a scanner's export has tens of thousands of files. */
const MOST_ENTRIES = 5000;

/** DICOM Part 10: the letters DICM after a preamble of 128 bytes. */
async function hasPrefix(path: string): Promise<boolean> {
  const file = await open(path).catch(() => undefined);
  if (!file) return false;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 128);
    return bytesRead === 4 && buffer.toString('latin1') === 'DICM';
  } catch {
    return false;
  } finally {
    await file.close();
  }
}

/** What to do where a folder holds DICOMs and no NIfTI image; undefined where that is not so. */
export async function dicomRemedy(folder: string): Promise<string | undefined> {
  let dicom = false;
  let seen = 0;
  const folders = [folder];
  for (let at = folders.shift(); at !== undefined && seen < MOST_ENTRIES; at = folders.shift())
    for (const entry of await readdir(at, { withFileTypes: true }).catch(() => [])) {
      seen++;
      const path = join(at, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (/\.nii(\.gz)?$/.test(entry.name)) return undefined;
      else if (!dicom)
        dicom =
          /\.(dcm|ima)$/i.test(entry.name) ||
          (entry.isFile() && !entry.name.includes('.') && (await hasPrefix(path)));
    }
  return dicom
    ? 'It holds DICOMs. Convert them to BIDS first: dcm2bids or heudiconv, or dcm2niix -b y -z y and names by hand'
    : undefined;
}
