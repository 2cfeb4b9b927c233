"""Runs the notebooks from top to bottom in the installed kernel and checks what they show.

usage: replay.py [--save] [NAME…]    --save writes the outputs into notebooks/
"""

import argparse
import dataclasses
import pathlib
import re
import sys
import time
from collections.abc import Callable

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = pathlib.Path(__file__).resolve().parents[2] / "notebooks"
NUMBER = r"(\d+(?:\.\d+)?)"


class Outputs:
    """A replayed notebook's outputs, by the cell's id."""

    def __init__(self, notebook: nbformat.NotebookNode) -> None:
        self.cells = {cell["id"]: cell for cell in notebook.cells if cell.cell_type == "code"}

    def text(self, cell: str) -> str:
        parts = []
        for output in self.cells[cell].outputs:
            parts.append(output.get("text") or output.get("data", {}).get("text/plain", ""))
        return "\n".join(parts)

    def numbers(self, cell: str, pattern: str) -> list[float]:
        """The numbers in `pattern` (each written as #) where the cell's text first matches it."""
        found = re.search(pattern.replace("#", NUMBER), self.text(cell))
        if not found:
            raise AssertionError(f"cell {cell}: expected something like {pattern!r} in {self.text(cell)!r}")
        return [float(group) for group in found.groups()]

    def charts(self, cell: str) -> list[nbformat.NotebookNode]:
        return [output.data for output in self.cells[cell].outputs if "image/svg+xml" in output.get("data", {})]


@dataclasses.dataclass
class Check:
    says: str
    figure: object
    holds: bool


def chart_checks(outputs: Outputs, cell: str) -> list[Check]:
    """A finished chart is one output that needs no script, with a twin for who sees no SVG."""
    charts = outputs.charts(cell)
    checks = [Check(f"{cell} shows one chart", len(charts), len(charts) == 1)]
    for data in charts:
        svg = data["image/svg+xml"]
        checks += [
            Check(f"{cell}: the chart has PNG and text beside the SVG", sorted(data), {"image/png", "text/plain"} <= set(data)),
            Check(f"{cell}: the SVG has a title and no script", len(svg), "<title" in svg and "<script" not in svg),
        ]
    return checks


def first_network(outputs: Outputs) -> list[Check]:
    (accuracy,) = outputs.numbers("mnist-evaluate", "accuracy: #")
    return [
        Check("MNIST: test accuracy after 5 epochs is at least 0.975", accuracy, accuracy >= 0.975),
        *chart_checks(outputs, "mnist-fit"),
    ]


def imdb(outputs: Outputs) -> list[Check]:
    lowest, epoch, last = outputs.numbers("imdb-peak", "validation loss: lowest # at epoch #, # after")
    highest, _ = outputs.numbers("imdb-peak", "validation accuracy: highest # at epoch #")
    (accuracy,) = outputs.numbers("imdb-refit-evaluate", "accuracy: #")
    return [
        Check("IMDB: validation accuracy peaks at 0.88 or above", highest, highest >= 0.88),
        Check("IMDB: validation loss is lowest before epoch 8", epoch, epoch < 8),
        Check("IMDB: validation loss is clearly higher at epoch 20 (by a third)", (lowest, last), last > lowest * 4 / 3),
        Check("IMDB: test accuracy after the refit is at least 0.87", accuracy, accuracy >= 0.87),
        *chart_checks(outputs, "imdb-fit"),
    ]


CHECKS: dict[str, Callable[[Outputs], list[Check]]] = {
    "02-1-first-network": first_network,
    "03-4-imdb": imdb,
}


def replay(path: pathlib.Path, save: bool) -> Outputs:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    # Timing would make every replay a change in the saved file.
    client = NotebookClient(notebook, timeout=900, kernel_name="rust-dl", record_timing=False, coalesce_streams=True, resources={"metadata": {"path": path.parent}})
    began = time.monotonic()
    client.execute()
    print(f"{path.stem}: ran in {time.monotonic() - began:.1f} s", flush=True)
    if save:
        nbformat.write(notebook, path)
        print(f"{path.stem}: saved, {path.stat().st_size // 1024} KiB")
    return Outputs(notebook)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", action="store_true")
    parser.add_argument("names", nargs="*", default=sorted(CHECKS))
    arguments = parser.parse_args()
    failed = passed = 0
    for name in arguments.names:
        for check in CHECKS[name](replay(NOTEBOOKS / f"{name}.ipynb", arguments.save)):
            print(f"{'ok    ' if check.holds else 'FAILED'} {check.says}: {check.figure}")
            passed += check.holds
            failed += not check.holds
    print(f"{passed} checks passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
