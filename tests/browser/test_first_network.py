"""A real JupyterLab in headless Chromium: the first chapter run as a reader runs it.

The charts' growth is seen from inside the page: an observer collects every image that
appears in the output of the cell that trains.
"""

import pathlib
import re

import nbformat
import pytest
from jupyterlab_page import REPO, SCREENSHOTS, menu, open_notebook, wait_for_idle
from playwright.sync_api import Page

NOTEBOOK = "02-1-first-network.ipynb"

OBSERVE = """
(cell) => {
    window.frames = [];
    const look = () => {
        for (const image of cell.querySelectorAll('.jp-OutputArea-output img')) {
            if (image.src && image.src !== window.frames.at(-1)) window.frames.push(image.src);
        }
    };
    new MutationObserver(look).observe(cell, {subtree: true, childList: true, attributes: true, attributeFilter: ['src']});
}
"""


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with the chapter as its reader finds it, its outputs cleared."""
    notebook = nbformat.read(REPO / "notebooks" / NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, tmp_path / NOTEBOOK)
    return tmp_path


def test_charts_grow_while_the_first_network_trains(page: Page, lab, folder: pathlib.Path) -> None:
    open_notebook(page, NOTEBOOK, *lab)
    wait_for_idle(page)

    fit = page.locator(".jp-CodeCell", has_text="network.fit(").first
    fit.scroll_into_view_if_needed()
    fit.evaluate(OBSERVE)
    menu(page, "Run", "Run All Cells")

    # The first frame shows that training has begun, the prompt's number that it has ended.
    page.wait_for_function("window.frames.length >= 3")
    fit.scroll_into_view_if_needed()
    page.screenshot(path=SCREENSHOTS / "training.png")
    fit.locator(".jp-InputPrompt", has_text=re.compile(r"\[\d+\]")).wait_for()
    frames = page.evaluate("window.frames")
    assert len(frames) >= 5, f"the chart changed {len(frames)} times while the cell ran"
    print(f"\nthe chart changed {len(frames)} times while the fit cell ran")

    # The last code cell has its number when everything has run.
    page.locator(".jp-CodeCell").last.locator(".jp-InputPrompt", has_text=re.compile(r"\[\d+\]")).wait_for()
    wait_for_idle(page)
    assert page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0

    with page.expect_response(lambda reply: "/api/contents/" in reply.url and reply.request.method == "PUT" and reply.ok):
        page.keyboard.press("Control+s")
    page.reload()
    fit = page.locator(".jp-CodeCell", has_text="network.fit(").first
    chart = fit.locator('.jp-OutputArea-output img[src^="data:image/svg"]')
    chart.wait_for()
    chart.scroll_into_view_if_needed()
    assert chart.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0
    assert fit.locator(".jp-OutputArea-output img").count() == 1, "one output holds the chart"
    # JupyterLab scales no SVG down; a wider one is cut off.
    room = fit.locator(".jp-OutputArea-output").evaluate("(area) => area.clientWidth")
    assert chart.bounding_box()["width"] <= room, f"the chart does not fit into {room} pixels"
    page.screenshot(path=SCREENSHOTS / "first-network.png")

    saved = nbformat.read(folder / NOTEBOOK, as_version=4)
    errors = [output for cell in saved.cells if cell.cell_type == "code" for output in cell.outputs if output.output_type == "error"]
    assert not errors, errors
