"""A real JupyterLab on loopback and a page of a headless Chromium."""

import contextlib
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

import pytest
from jupyterlab_page import SCREENSHOTS
from playwright.sync_api import sync_playwright

BROWSER_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]
# Every cell is in the page, so that one can wait for what it shows.
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {"fetchNews": "false", "checkForUpdates": False},
}

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


@contextlib.contextmanager
def lab_at(folder: pathlib.Path, settings: pathlib.Path, more: dict | None = None):
    """JupyterLab on loopback over a folder; its address, with the token."""
    for name, content in (SETTINGS | (more or {})).items():
        (settings / name).parent.mkdir(parents=True, exist_ok=True)
        (settings / name).write_text(json.dumps(content))
    token = secrets.token_hex(16)
    command = [
        find_jupyter(), "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0",
        f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}",
    ]
    environment = os.environ | {"JUPYTERLAB_SETTINGS_DIR": str(settings), "JUPYTERLAB_WORKSPACES_DIR": str(settings / "workspaces")}
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
def lab(request: pytest.FixtureRequest, folder: pathlib.Path, tmp_path_factory: pytest.TempPathFactory):
    """JupyterLab over the test's folder; a test names further settings as the fixture's parameter."""
    with lab_at(folder, tmp_path_factory.mktemp("settings"), getattr(request, "param", None)) as address:
        yield address


@pytest.fixture
def page(folder: pathlib.Path):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["BROWSER_PATH"], args=BROWSER_FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(120_000)
        yield page
        # What a failed test ended with; teardown is not told whether it did.
        page.screenshot(path=SCREENSHOTS / "last.png")
        browser.close()
