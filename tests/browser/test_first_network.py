"""A real JupyterLab in headless Chromium: the first chapter run as a reader runs it.

The charts' growth is seen from inside the page: an observer collects every image that
appears in the output of the cell that trains.
"""

import json
import os
import pathlib
import re
import secrets
import shutil
import socket
import subprocess
import time
import urllib.parse

import nbformat
import pytest
from playwright.sync_api import Page, sync_playwright

REPO = pathlib.Path(__file__).resolve().parents[2]
NOTEBOOK = "02-1-first-network.ipynb"
SCREENSHOTS = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPO / "target")) / "tests" / "screenshots"
BROWSER_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]
# Every cell is in the page, so that one can wait for what it shows.
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {"fetchNews": "false", "checkForUpdates": False},
}

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


def find_jupyter() -> str:
    own = pathlib.Path.home() / ".local/share/rust-dl/jupyter/bin/jupyter"
    found = str(own) if own.exists() else shutil.which("jupyter")
    assert found, "no jupyter: install.sh puts one into place"
    return found


def wait_for_port(address: str) -> None:
    """JupyterLab says its address shortly before it listens, and says nothing when it does."""
    location = urllib.parse.urlsplit(address)
    for _ in range(600):
        try:
            socket.create_connection((location.hostname, location.port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise AssertionError(f"nothing listens on {address}")


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with the chapter as its reader finds it, its outputs cleared."""
    notebook = nbformat.read(REPO / "notebooks" / NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, tmp_path / NOTEBOOK)
    return tmp_path


@pytest.fixture
def lab(folder: pathlib.Path, tmp_path_factory: pytest.TempPathFactory):
    """JupyterLab on loopback; its address, with the token."""
    settings = tmp_path_factory.mktemp("settings")
    for name, content in SETTINGS.items():
        (settings / name).parent.mkdir(parents=True, exist_ok=True)
        (settings / name).write_text(json.dumps(content))
    token = secrets.token_hex(16)
    command = [
        find_jupyter(), "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0",
        f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}",
    ]
    environment = os.environ | {"JUPYTERLAB_SETTINGS_DIR": str(settings)}
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    said = []
    for line in server.stderr:
        said.append(line)
        if found := re.search(r"(http://127\.0\.0\.1:\d+)/lab", line):
            break
    else:
        raise AssertionError("JupyterLab ended before it was ready:\n" + "".join(said))
    drain = subprocess.Popen(["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL)
    wait_for_port(found[1])
    yield found[1], token
    server.terminate()
    server.wait()
    drain.wait()


@pytest.fixture
def page(folder: pathlib.Path):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["BROWSER_PATH"], args=BROWSER_FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(120_000)
        yield page
        # What a failed test ended with; teardown is not told whether it did.
        page.screenshot(path=SCREENSHOTS / "last.png")
        browser.close()


def open_notebook(page: Page, address: str, token: str) -> None:
    page.goto(f"{address}/lab/tree/{NOTEBOOK}?token={token}")
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()


def wait_for_idle(page: Page) -> None:
    page.locator(".jp-StatusBar-Widget .jp-StatusBar-TextItem", has_text="| Idle").wait_for()


def menu(page: Page, name: str, item: str) -> None:
    page.locator(".lm-MenuBar-item", has_text=re.compile(f"^{name}$")).click()
    page.locator(".lm-Menu-item", has=page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{item}$"))).click()


def test_charts_grow_while_the_first_network_trains(page: Page, lab, folder: pathlib.Path) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    open_notebook(page, *lab)
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
