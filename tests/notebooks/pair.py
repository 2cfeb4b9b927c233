"""Keeps each notebook and its text in notebooks/text/ the same.

usage: pair.py [NAME…]                    writes the notebooks from the texts; cells that read as before keep their outputs
       pair.py --from-notebooks [NAME…]   writes the texts from the notebooks, after an edit in JupyterLab
       pair.py --check                    fails where a notebook and its text differ, or one of them is missing, or a line
                                          of code is longer than a cell of JupyterLab is wide

The texts are jupytext's Markdown without its header. A code cell's name there is its id in the notebook, by which
replay.py finds it.
"""

import argparse
import pathlib
import re
import sys

import jupytext
import nbformat

NOTEBOOKS = pathlib.Path(__file__).resolve().parents[2] / "notebooks"
TEXTS = NOTEBOOKS / "text"
# What JupyterLab shows of a cell's line without scrolling, in a window of 1280 pixels with its side bar open.
LONGEST_LINE = 104
METADATA = {
    "kernelspec": {"display_name": "Rust (deep learning)", "language": "rust", "name": "rust-dl"},
    "language_info": {"name": "rust", "file_extension": ".rs", "mimetype": "text/x-rustsrc", "pygments_lexer": "rust", "codemirror_mode": "rust"},
}


def from_text(stem: str) -> nbformat.NotebookNode:
    """The notebook that a text stands for, without outputs."""
    header = "---\njupyter:\n  kernelspec:\n    display_name: Rust\n    language: rust\n    name: rust-dl\n---\n\n"
    notebook = jupytext.reads(header + (TEXTS / f"{stem}.md").read_text(), fmt="md")
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    texts = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            if "name" not in cell.metadata:
                raise SystemExit(f"text/{stem}.md: the cell that begins {cell.source[:60]!r} has no name; write ```rust name=\"…\"")
            cell["id"] = cell.metadata.pop("name")
        else:
            texts += 1
            cell["id"] = f"text-{texts}"
            cell.metadata.pop("region_name", None)
    ids = [cell["id"] for cell in notebook.cells]
    if twice := {name for name in ids if ids.count(name) > 1}:
        raise SystemExit(f"text/{stem}.md: the name {min(twice)} stands twice")
    nbformat.validate(notebook)
    return notebook


def to_text(notebook: nbformat.NotebookNode) -> str:
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({"name": cell["id"]} if cell.cell_type == "code" else {})
        cell.source = cell.source.strip("\n")
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    text = jupytext.writes(notebook, fmt="md")
    return re.sub(r"\A---\n.*?\n---\n+", "", text, count=1, flags=re.DOTALL)


def sources(notebook: nbformat.NotebookNode) -> list[tuple[str, str, str]]:
    """What must agree: of code cells also the id, of texts only the text."""
    return [(cell.cell_type, cell["id"] if cell.cell_type == "code" else "", cell.source.strip("\n")) for cell in notebook.cells]


def write_notebook(stem: str) -> None:
    notebook, path = from_text(stem), NOTEBOOKS / f"{stem}.ipynb"
    if path.exists():
        before = nbformat.read(path, as_version=4)
        if sources(before) == sources(notebook):
            return
        notebook.metadata = before.metadata
        kept = {(cell["id"], cell.source): cell for cell in before.cells if cell.cell_type == "code"}
        for cell in notebook.cells:
            if old := kept.get((cell["id"], cell.source)):
                cell.outputs, cell.execution_count = old.outputs, old.execution_count
    nbformat.write(notebook, path)
    print(f"wrote {path.name}")


def check(stems: list[str]) -> int:
    wrong = 0
    for stem in stems:
        paths = (NOTEBOOKS / f"{stem}.ipynb", TEXTS / f"{stem}.md")
        if missing := [path for path in paths if not path.exists()]:
            print(f"{stem}: {missing[0]} is missing")
            wrong += 1
            continue
        notebook, text = sources(nbformat.read(paths[0], as_version=4)), sources(from_text(stem))
        long = [(name, line) for kind, name, source in text if kind == "code" for line in source.splitlines() if len(line) > LONGEST_LINE]
        for name, line in long:
            print(f"{stem}, {name}: a line of {len(line)} characters is wider than a cell; at most {LONGEST_LINE}: {line.strip()[:50]} …")
        if notebook != text:
            different = next((i for i, pair in enumerate(zip(notebook, text)) if pair[0] != pair[1]), min(len(notebook), len(text)))
            print(f"{stem}: cell {different + 1} is not the same in the notebook and in its text; run pair.py, or pair.py --from-notebooks")
            wrong += 1
        elif long:
            wrong += 1
    print(f"{len(stems) - wrong} checks passed, {wrong} failed: notebooks and their texts")
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--from-notebooks", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    stems = arguments.names or sorted({path.stem for path in [*NOTEBOOKS.glob("*.ipynb"), *TEXTS.glob("*.md")]})
    if arguments.check:
        return check(stems)
    for stem in stems:
        if arguments.from_notebooks:
            (TEXTS / f"{stem}.md").write_text(to_text(nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4)))
        elif (TEXTS / f"{stem}.md").exists():
            write_notebook(stem)
    return 0


if __name__ == "__main__":
    sys.exit(main())
