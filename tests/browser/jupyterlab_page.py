"""What a person does in JupyterLab's page."""

import os
import pathlib
import re

from playwright.sync_api import Locator, Page

REPO = pathlib.Path(__file__).resolve().parents[2]
SCREENSHOTS = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPO / "target")) / "tests" / "screenshots"


def open_notebook(page: Page, name: str, address: str, token: str) -> None:
    page.goto(f"{address}/lab/tree/{name}?token={token}")
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()


def wait_for_idle(page: Page) -> None:
    page.locator(".jp-StatusBar-Widget .jp-StatusBar-TextItem", has_text="| Idle").wait_for()


def menu(page: Page, name: str, item: str) -> None:
    page.locator(".lm-MenuBar-item", has_text=re.compile(f"^{name}$")).click()
    page.locator(".lm-Menu-item", has=page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{item}$"))).click()


def cell(page: Page, containing: str) -> Locator:
    return page.locator(".jp-CodeCell", has_text=containing).first


def run(page: Page, containing: str) -> Locator:
    """Runs the cell without waiting for its end."""
    found = cell(page, containing)
    found.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    return found


def wait_until_done(found: Locator) -> None:
    found.locator(".jp-InputPrompt", has_text=re.compile(r"\[\d+\]")).wait_for()
