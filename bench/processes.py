"""The programs that the scripts here time, each run as a process of its own."""
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
STEADYIQA = ROOT / "build/release/bin/steadyiqa"


def run(command, threads, listing=(), environment=()):
    """The lines that it writes, given those of `listing`, with its time and the most memory it took [bytes]; every library has
    `threads` threads. A child's memory counts this process's at the time of the fork."""
    start = time.perf_counter()
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    child = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                             env={**os.environ, **limits, **dict(environment)})
    child.stdin.write("".join(f"{line}\n" for line in listing))
    child.stdin.close()
    written = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"{command[0]} failed with status {os.waitstatus_to_exitcode(status)}")
    return {"lines": written.splitlines(), "seconds": time.perf_counter() - start,
            "peak_memory_bytes": usage.ru_maxrss * 1024}


def result(command, threads, **how):
    """The last line that it writes, as JSON, with the most memory it took; `how` as in run."""
    ended = run(command, threads, **how)
    return {**json.loads(ended["lines"][-1]), "peak_memory_bytes": ended["peak_memory_bytes"]}


def bench(program, threads, *words, listing=()):
    """`steadyiqa bench`: its result, its median as the seconds, its memory."""
    written = result([program, "bench", *words, "--threads", threads, "--json"], threads, listing=listing)
    measured = written["result"]
    return {**measured, "seconds": measured["seconds"]["median"], "peak_memory_bytes": written["peak_memory_bytes"]}


def export(program, model, exported, crop_count):
    """The model as an ONNX file that takes a grid of so many crops."""
    subprocess.run([program, "export", model, exported, "--crops", "grid", "--crop-count", str(crop_count)], check=True,
                   stdout=subprocess.DEVNULL)


def score_program(program, exported, threads, images, precision="float32"):
    """steadyiqa-score beside `program`, as a whole: its start is in its time."""
    ended = run([pathlib.Path(program).with_name("steadyiqa-score"), "--model", exported, "--threads", threads, "--precision",
                 precision, "--json", "--quiet", "-"], threads, images)
    return {**ended, "images": [json.loads(line) for line in ended["lines"][1:]]}
