"""From a kernel's launch to the first result that needs dlcore, and the time of later cells.

usage: startup.py [--runs N] [--stock]

Later cells are the cells of both chapters that do not train. --stock runs stock evcxr_jupyter 0.22
beside it, in the same run and in a session directory that was used before; it is built below
target/evcxr once (minutes). Both need the data sets (DLCORE_DATA, or the cache directory).
"""

import argparse
import pathlib
import statistics
import subprocess
import tempfile
import time

from kernels import REPO, TARGET, Kernel, chapter, stock_kernelspec, trains

CHAPTERS = ["02-1-first-network", "03-4-imdb"]
FIRST = "Tensor::from([1.0, 2.0, 3.0]).sum().item()"
STOCK_SETUP = f':dep dlcore = {{ path = "{REPO / "dlcore"}" }}\nuse dlcore::prelude::*;\n'


def first_result(name: str, setup: str = "", **start) -> float:
    kernel = Kernel(name, REPO / "notebooks", **start)
    for part in filter(None, setup.splitlines()):
        kernel.run(part)
    result = kernel.run(FIRST)
    assert "6" in result.text, result.text
    elapsed = time.perf_counter() - kernel.since
    kernel.close()
    return elapsed


def later_cells(name: str, setup: str = "", **start) -> list[float]:
    times = []
    for notebook in CHAPTERS:
        kernel = Kernel(name, REPO / "notebooks", **start)
        for part in filter(None, (setup + FIRST).splitlines()):
            kernel.run(part)
        for code in chapter(notebook):
            seconds = kernel.run(code).seconds
            if not trains(code):
                times.append(seconds)
        kernel.close()
    return times


def build_stock() -> pathlib.Path:
    root = TARGET / "evcxr"
    binary = root / "bin" / "evcxr_jupyter"
    if not binary.exists():
        command = ["cargo", "install", "evcxr_jupyter", "--version", "0.22.0", "--locked", "--root", str(root)]
        subprocess.run(command, check=True)
    return binary


def report(name: str, first: list[float], later: list[float]) -> None:
    print(f"{name}: first result {statistics.median(first):.2f} s after launch ({', '.join(f'{t:.2f}' for t in first)}); "
          f"{len(later)} later cells, median {statistics.median(later):.3f} s, slowest {max(later):.2f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--stock", action="store_true")
    arguments = parser.parse_args()

    first = [first_result("rust-dl") for _ in range(arguments.runs)]
    later = later_cells("rust-dl")
    report("rust-dl", first, later)
    if arguments.stock:
        spec = stock_kernelspec(build_stock())
        with spec, tempfile.TemporaryDirectory() as session:
            start = {"setup": STOCK_SETUP, "environment": {"EVCXR_TMPDIR": session}}
            first_result("stock", **start)  # fills the session directory
            stock_first = [first_result("stock", **start) for _ in range(arguments.runs)]
            stock_later = later_cells("stock", **start)
        report("evcxr_jupyter", stock_first, stock_later)
        print(f"ratio: first result {statistics.median(stock_first) / statistics.median(first):.1f} times, "
              f"later cells {statistics.median(stock_later) / statistics.median(later):.1f} times as fast as stock")


if __name__ == "__main__":
    main()
