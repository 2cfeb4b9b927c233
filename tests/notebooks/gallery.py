"""Builds static pages from the saved notebooks: one for each, and an index with a picture of each. No server is needed.

usage: gallery.py DIR
"""

import argparse
import html
import pathlib
import re
import sys

import nbformat
from nbconvert import HTMLExporter

NOTEBOOKS = pathlib.Path(__file__).resolve().parents[2] / "notebooks"

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Deep learning in Rust: the chapters</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }}
body {{ max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }}
ul {{ list-style: none; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 1.2rem; }}
a {{ display: block; height: 100%; border: 1px solid #8888; border-radius: 8px; padding: 1rem; color: inherit; text-decoration: none; }}
a:hover, a:focus {{ border-color: #3b7dd8; }}
img {{ width: 100%; height: 160px; object-fit: contain; background: #fdfdfe; border-radius: 4px; }}
p {{ margin: .5rem 0 0; }}
</style></head><body>
<h1>Deep learning in Rust: the chapters</h1>
<ul>
{cards}
</ul>
</body></html>
"""


def picture(notebook: nbformat.NotebookNode) -> tuple[str, str] | None:
    """The last picture of a notebook and what it shows."""
    pictures = [output.data for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs if "image/png" in output.get("data", {})]
    if not pictures:
        return None
    says = pictures[-1].get("text/plain", "").splitlines()
    return pictures[-1]["image/png"].strip(), says[0] if says else ""


def card(stem: str, notebook: nbformat.NotebookNode) -> str:
    text = notebook.cells[0].source
    title = text.splitlines()[0].lstrip("# ")
    begin = next((part for part in re.split(r"\n\s*\n", text)[1:] if part.strip()), "")
    begin = re.sub(r"[*`\[\]]|\(.*?\.ipynb\)", "", " ".join(begin.split()))
    begin = begin if len(begin) < 180 else begin[:180].rsplit(" ", 1)[0] + " …"
    shown = picture(notebook)
    image = f'<img alt="{html.escape(shown[1], quote=True)}" src="data:image/png;base64,{shown[0]}">' if shown else ""
    return f'<li><a href="{stem}.html">{image}<h2>{html.escape(title)}</h2><p>{html.escape(begin)}</p></a></li>'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    directory = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)
    exporter, cards = HTMLExporter(), []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        body, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": path.stem}})
        (directory / f"{path.stem}.html").write_text(body.replace('.ipynb"', '.html"'))
        cards.append(card(path.stem, notebook))
    (directory / "index.html").write_text(PAGE.format(cards="\n".join(cards)))
    print(f"{len(cards)} pages and {directory / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
