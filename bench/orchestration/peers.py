"""The same graph of steps that do nothing on other workflow engines: prints {"seconds": s, "peak_mb": m}.

Usage: python peers.py snakemake|nipype|pydra SUBJECTS STEPS FOLDER. Not a dependency of the product.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

SNAKEFILE = """
SUBJECTS = [f"sub-{i:05d}" for i in range(%d)]
LAST = %d

rule all:
    input: expand("out/{subject}/%d.txt", subject=SUBJECTS)

rule first:
    output: "out/{subject}/1.txt"
    shell: "touch {output}"

for step in range(2, LAST + 1):
    rule:
        name: f"step{step}"
        input: f"out/{{subject}}/{step - 1}.txt"
        output: f"out/{{subject}}/{step}.txt"
        shell: "touch {output}"
"""


def run_snakemake(subjects, steps, folder):
    (folder / "Snakefile").write_text(SNAKEFILE % (subjects, steps, steps))
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", "all", "--nolock"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run_nipype(subjects, steps, folder):
    from nipype import Function, IdentityInterface, Node, Workflow, config, logging

    config.update_config({"execution": {"poll_sleep_duration": 0.01}, "logging": {"workflow_level": "ERROR"}})
    logging.update_logging(config)

    def nothing(x):
        return x

    graph = Workflow("graph", base_dir=str(folder))
    source = Node(IdentityInterface(["x"]), "source")
    source.iterables = ("x", list(range(subjects)))
    before, port = source, "x"
    for step in range(steps):
        node = Node(Function(["x"], ["y"], nothing), f"step{step + 1}")
        graph.connect(before, port, node, "x")
        before, port = node, "y"
    graph.run("MultiProc", plugin_args={"n_procs": 2})


def run_pydra(subjects, steps, folder):
    import pydra

    @pydra.mark.task
    def nothing(x: int) -> int:
        return x

    chain = pydra.Workflow(name="chain", input_spec=["x"], cache_dir=folder)
    chain.split("x", x=list(range(subjects)))
    last = chain.lzin.x
    for step in range(1, steps + 1):
        chain.add(nothing(name=f"step{step}", x=last))
        last = getattr(chain, f"step{step}").lzout.out
    chain.set_output([("out", last)])
    with pydra.Submitter(plugin="cf", n_procs=2) as submitter:
        submitter(chain)


if __name__ == "__main__":
    name, subjects, steps, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    {"snakemake": run_snakemake, "nipype": run_nipype, "pydra": run_pydra}[name](subjects, steps, folder)
    seconds = time.perf_counter() - started
    who = resource.RUSAGE_CHILDREN if name == "snakemake" else resource.RUSAGE_SELF
    print(json.dumps({"seconds": seconds, "peak_mb": resource.getrusage(who).ru_maxrss / 1024}))
