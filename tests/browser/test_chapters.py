"""Each saved chapter in JupyterLab, light and dark: nothing is cut off, every picture has a text, everything is legible."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest
from conftest import find_jupyter
from jupyterlab_page import REPO, SCREENSHOTS
from playwright.sync_api import Page
from test_at_work import DARK, LIGHT

CHAPTERS = sorted((REPO / "notebooks").glob("*.ipynb"))
# Below this many pixels a text is no longer read at a glance.
SMALLEST = 10

# What does not hold, as sentences. A picture's own texts are found in its source, since the page only has the image.
FAULTS = """
(smallest) => {
    const found = [];
    const cells = [...document.querySelectorAll('.jp-Notebook .jp-Cell')];
    const note = (what, element) => found.push(`cell ${cells.indexOf(element.closest('.jp-Cell'))}: ${what}`);
    for (const element of document.querySelectorAll('.jp-Notebook .jp-Cell *')) {
        if (element.closest('.cm-editor') && !element.matches('.cm-scroller')) continue;
        const hides = ['auto', 'scroll', 'hidden'].includes(getComputedStyle(element).overflowX);
        if (hides && element.clientWidth > 30 && element.scrollWidth > element.clientWidth + 2)
            note(`${element.scrollWidth} pixels in a room of ${element.clientWidth}: ${element.innerText.slice(0, 60)}`, element);
        const says = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
        if (says && element.closest('.jp-OutputArea-output, .jp-RenderedMarkdown') && parseFloat(getComputedStyle(element).fontSize) < smallest)
            note(`text of ${getComputedStyle(element).fontSize}: ${element.innerText.slice(0, 60)}`, element);
    }
    for (const image of document.querySelectorAll('.jp-Notebook .jp-Cell img')) {
        if (!image.naturalWidth) note('a picture that is not shown', image);
        if (!image.alt.trim()) note('a picture without an alternative text', image);
        const shown = image.getBoundingClientRect(), area = image.closest('.jp-OutputArea-output').getBoundingClientRect();
        if (shown.right > area.right + 1) note(`a picture of ${shown.width} pixels in a room of ${area.width}`, image);
        const svg = image.src.startsWith('data:image/svg+xml;base64,') ? atob(image.src.split(',')[1]) : '';
        const unit = (svg.match(/viewBox="0 0 ([0-9.]+)/) || [0, image.naturalWidth])[1] / shown.width;
        for (const [, size] of svg.matchAll(/font-size="([0-9.]+)"/g))
            if (size / unit < smallest - 0.5) { note(`a picture's text of ${(size / unit).toFixed(1)} pixels`, image); break; }
    }
    return found;
}
"""

# A page that is still being put together would pass: its cells are counted, and each text has to be drawn.
READY = """
(count) => {
    const cells = [...document.querySelectorAll('.jp-Notebook .jp-Cell')];
    const drawn = (cell) => cell.classList.contains('jp-mod-rendered') && cell.querySelector('.jp-MarkdownOutput')?.innerText.trim();
    return cells.length === count && !document.querySelector('#jupyterlab-splash, .jp-Spinner')
        && cells.filter((cell) => cell.classList.contains('jp-MarkdownCell')).every(drawn)
        && [...document.querySelectorAll('.jp-Notebook img')].every((image) => image.complete);
}
"""


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """The chapters as install.sh copies them, trusted as it does."""
    for path in CHAPTERS:
        shutil.copy(path, tmp_path)
    subprocess.run([find_jupyter(), "trust", *map(str, tmp_path.glob("*.ipynb"))], check=True, stdout=subprocess.DEVNULL)
    return tmp_path


def end_kernels(page: Page, address: str, token: str) -> None:
    headers = {"Authorization": f"token {token}"}
    for session in json.loads(page.request.get(f"{address}/api/sessions", headers=headers).text()):
        page.request.delete(f"{address}/api/sessions/{session['id']}", headers=headers)


def photograph(page: Page, name: str) -> None:
    """The whole length of the notebook as pictures, where somebody wants to look at it."""
    directory = SCREENSHOTS / "chapters"
    directory.mkdir(parents=True, exist_ok=True)
    panel = page.locator(".jp-WindowedPanel-outer")
    height, step = panel.evaluate("(panel) => [panel.scrollHeight, panel.clientHeight - 40]")
    for number, top in enumerate(range(0, height, step)):
        panel.evaluate("(panel, top) => { panel.scrollTop = top; }", top)
        page.locator(".jp-NotebookPanel-notebook").screenshot(path=directory / f"{name}-{number:02}.png")


@pytest.mark.parametrize("lab", [LIGHT, DARK], indirect=True, ids=["light", "dark"])
def test_chapters_can_be_read(page: Page, lab, request: pytest.FixtureRequest) -> None:
    (address, token), faults = lab, []
    for path in CHAPTERS:
        # A workspace each, or the chapters before would be open as well.
        page.goto(f"{address}/lab/workspaces/{path.stem}/tree/{path.name}?token={token}")
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        page.wait_for_function(READY, arg=len(json.loads(path.read_text())["cells"]))
        faults += [f"{path.stem}, {fault}" for fault in page.evaluate(FAULTS, SMALLEST)]
        if os.environ.get("PHOTOGRAPH_CHAPTERS"):
            photograph(page, f"{path.stem}-{request.node.callspec.id}")
        end_kernels(page, address, token)
    assert not faults, "\n".join(faults)
