"""Runs the notebooks from top to bottom in the installed kernel and checks what they show.

usage: replay.py [--save] [NAME…]     --save writes the outputs into notebooks/
       replay.py --seeds 5 [NAME…]    the figures under other seeds, into seeds.json beside this file
       replay.py --table              the figures, reported and reached in the saved notebooks, into notebooks/README.md

Each notebook runs without an error in any cell; the solutions that are folded away run after its last cell; pictures
have a title and a twin for who sees none; figures lie in the bands of figures.py.
"""

import argparse
import dataclasses
import datetime
import json
import pathlib
import re
import sys
import time

import nbformat
from nbclient import NotebookClient

from figures import CHARTS, FIGURES, RISES, Figure

HERE = pathlib.Path(__file__).resolve().parent
NOTEBOOKS = HERE.parents[1] / "notebooks"
README = NOTEBOOKS / "README.md"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
NUMBER = r"(\d+(?:\.\d+)?)"
# What a cell may take on two cores, in seconds; the chapters say so where a training takes longer.
LONGEST_CELL = 60.0
LARGEST = 1_500_000


@dataclasses.dataclass
class Check:
    says: str
    figure: object
    holds: bool


class Outputs:
    """A replayed notebook's outputs, by the cell's id."""

    def __init__(self, notebook: nbformat.NotebookNode) -> None:
        self.cells = {cell["id"]: cell for cell in notebook.cells if cell.cell_type == "code"}

    def text(self, cell: str) -> str:
        parts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in self.cells[cell].outputs]
        return "\n".join(parts)

    def number(self, figure: Figure) -> float:
        text = self.text(figure.cell)
        found = re.search(figure.pattern.replace("#", NUMBER), text)
        if not found:
            raise AssertionError(f"cell {figure.cell}: expected something like {figure.pattern!r} in {text!r}")
        return float(found.group(1))

    def pictures(self) -> list[tuple[str, nbformat.NotebookNode]]:
        return [(name, output.data) for name, cell in self.cells.items() for output in cell.outputs if "image/svg+xml" in output.get("data", {})]


def figure_checks(stem: str, outputs: Outputs) -> list[Check]:
    checks = []
    for figure in FIGURES.get(stem, []):
        number = outputs.number(figure)
        checks.append(Check(f"{figure.says}, {figure.low} to {figure.high}", number, figure.low <= number <= figure.high))
    if stem in RISES:
        first, second, times = RISES[stem]
        low, high = (outputs.number(next(f for f in FIGURES[stem] if f.says == says)) for says in (first, second))
        checks.append(Check(f"{second} is at least {times:.2f} times the lowest", (low, high), high > low * times))
    for cell in CHARTS.get(stem, []):
        count = sum(name == cell for name, _ in outputs.pictures())
        checks.append(Check(f"{cell} shows one chart", count, count == 1))
    return checks


def picture_checks(outputs: Outputs) -> list[Check]:
    """A picture needs no script, and has a title, an alternative text and twins for who sees no SVG."""
    bad = []
    for name, data in outputs.pictures():
        svg = data["image/svg+xml"]
        described = "<title" in svg and re.search('<img alt="[^"]+"', data.get("text/html", ""))
        if not described or "<script" in svg or not {"image/png", "text/plain"} <= set(data):
            bad.append(name)
    return [Check(f"{len(outputs.pictures())} pictures have an alternative text, no script, PNG and text beside the SVG", bad, not bad)]


def solutions(notebook: nbformat.NotebookNode) -> list[str]:
    """The code of the solutions that are folded away."""
    folded = [part for cell in notebook.cells if cell.cell_type == "markdown" for part in re.findall(r"<details>.*?</details>", cell.source, re.DOTALL)]
    return [code for part in folded for code in re.findall(r"```rust\n(.*?)```", part, re.DOTALL)]


def seconds(cell: nbformat.NotebookNode) -> float:
    at = {name: datetime.datetime.fromisoformat(when.replace("Z", "+00:00")) for name, when in cell.metadata.get("execution", {}).items()}
    begin, end = at.get("iopub.execute_input"), at.get("shell.execute_reply")
    return (end - begin).total_seconds() if begin and end else 0.0


def run(path: pathlib.Path, notebook: nbformat.NotebookNode) -> None:
    client = NotebookClient(notebook, timeout=900, kernel_name="rust-dl", coalesce_streams=True, resources={"metadata": {"path": path.parent}})
    client.execute()


def replay(path: pathlib.Path, save: bool) -> list[Check]:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    own = len(notebook.cells)
    notebook.cells += [nbformat.v4.new_code_cell(code) for code in solutions(notebook)]
    began = time.monotonic()
    run(path, notebook)
    took = time.monotonic() - began
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    slowest = max(cells, key=seconds)
    print(f"{path.stem}: {len(cells)} cells in {took:.1f} s, the slowest {slowest['id']} in {seconds(slowest):.1f} s", flush=True)
    checks = [Check(f"no cell takes more than {LONGEST_CELL:.0f} s", round(seconds(slowest), 1), seconds(slowest) <= LONGEST_CELL)]
    # Solutions are not saved, and timing would make every replay a change in the file.
    del notebook.cells[own:]
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    size = len(nbformat.writes(notebook).encode())
    checks.append(Check(f"at most {LARGEST / 1e6} MB", size, size <= LARGEST))
    if save:
        nbformat.write(notebook, path)
        print(f"{path.stem}: saved, {size // 1024} KiB")
    outputs = Outputs(notebook)
    return [*figure_checks(path.stem, outputs), *picture_checks(outputs), *checks]


def try_seeds(stem: str, count: int) -> dict[str, list[float]]:
    """Each figure of a chapter under seeds 1, 2, …"""
    found: dict[str, list[float]] = {}
    for seed in range(1, count + 1):
        path = NOTEBOOKS / f"{stem}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.source = re.sub(r"set_seed\(\d+\)", f"set_seed({seed})", cell.source)
        run(path, notebook)
        outputs = Outputs(notebook)
        for figure in FIGURES[stem]:
            found.setdefault(f"{figure.cell}: {figure.says}", []).append(outputs.number(figure))
        print(f"{stem}, seed {seed}: done", flush=True)
    return found


def lined(table: dict[str, dict[str, list[float]]]) -> str:
    """JSON with a line for each figure."""
    chapters = [",\n".join(f"  {json.dumps(name)}: {json.dumps(found)}" for name, found in figures.items()) for figures in table.values()]
    return "{\n" + ",\n".join(f" {json.dumps(stem)}: {{\n{lines}\n }}" for stem, lines in zip(table, chapters)) + "\n}\n"


def write_seeds(stems: list[str], count: int) -> None:
    path = HERE / "seeds.json"
    table = json.loads(path.read_text()) if path.exists() else {}
    for stem in stems:
        if stem in FIGURES:
            table[stem] = try_seeds(stem, count)
            path.write_text(lined(table))


def table() -> str:
    """Reported against reached, as the saved notebooks have it."""
    lines = ["| chapter | figure | reported | reached | band |", "|---|---|---|---|---|"]
    for stem, figures in FIGURES.items():
        outputs = Outputs(nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4))
        for place, figure in enumerate(figures):
            chapter = f"[{stem}]({stem}.ipynb)" if place == 0 else ""
            reported = "–" if figure.reported is None else f"{figure.reported:g}"
            lines.append(f"| {chapter} | {figure.says} | {reported} | {outputs.number(figure):g} | {figure.low:g} to {figure.high:g} |")
    return "\n".join(lines)


def write_table() -> None:
    """Between the two marks in notebooks/README.md."""
    head, rest = README.read_text().split(BEGIN)
    README.write_text(f"{head}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--seeds", type=int, default=0)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("names", nargs="*", default=sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")))
    arguments = parser.parse_args()
    if arguments.seeds:
        write_seeds(arguments.names, arguments.seeds)
        return 0
    if arguments.table:
        write_table()
        return 0
    failed = passed = 0
    for name in arguments.names:
        try:
            checks = replay(NOTEBOOKS / f"{name}.ipynb", arguments.save)
        except Exception as error:  # One chapter's failure must not hide the others'.
            checks = [Check(f"{name} runs", re.sub(r"\x1b\[[0-9;]*m", "", str(error)), False)]
        for check in checks:
            print(f"{'ok    ' if check.holds else 'FAILED'} {check.says}: {check.figure}", flush=True)
            passed += check.holds
            failed += not check.holds
    print(f"{passed} checks passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
