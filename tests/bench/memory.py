"""Memory of a session: idle, and over many cells. Fails where the kernel process grows by more than a
fifth between cell 100 and the last one.

    python tests/bench/memory.py [--cells 1000]
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "kernel"))
from client import Kernel  # noqa: E402


def cell(i):
    return [
        f"let v{i % 50} = vec![{i}; 10];",
        f"fn f{i % 20}(x: i32) -> i32 {{ x + {i} }}",
        f"v{(i // 4 * 4) % 50}.len()",
        f'println!("{{}}", f1(3)); Tensor::zeros([{i % 5 + 1}])',
    ][i % 4]


def megabytes(kernel):
    """Resident memory of the kernel process, of the cell process and of the compiler that stands ready."""
    children = kernel.process.children(recursive=True)
    cells = sum(child.memory_info().rss for child in children if "cell" in child.cmdline())
    compilers = sum(child.memory_info().rss for child in children if child.name() == "rustc")
    return kernel.process.memory_info().rss / 1e6, cells / 1e6, compilers / 1e6


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--cells", type=int, default=1000)
    cells = arguments.parse_args().cells
    kernel = Kernel()
    kernel.execute("let tensor = Tensor::zeros([2, 2]); tensor")
    idle = "idle: kernel process {:.1f} MB, cell process {:.1f} MB, waiting compiler {:.1f} MB"
    print(idle.format(*megabytes(kernel)))
    after_100 = None
    for i in range(cells):
        kernel.execute(cell(i))
        if (i + 1) % 100 == 0:
            now = megabytes(kernel)
            after_100 = after_100 or now
            print("{} cells: kernel process {:.1f} MB, cell process {:.1f} MB".format(i + 1, *now[:2]), flush=True)
    kernel.end()
    growth = now[0] / after_100[0] - 1
    print(f"the kernel process grew by {growth:.0%} from cell 100 to cell {cells}")
    return growth > 0.2


if __name__ == "__main__":
    sys.exit(main())
