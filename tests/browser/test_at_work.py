"""What a person does beside running cells: interrupting, completing, asking, answering, restarting."""

import base64
import pathlib
import re

import nbformat
import pytest
from jupyterlab_page import SCREENSHOTS, cell, menu, open_notebook, run, wait_for_idle, wait_until_done
from playwright.sync_api import Page, expect

CELLS = [
    "let x = Tensor::ones([64, 16]);\n"
    "let mut network = Sequential::new().add(Dense::new(1).input_shape([16]));\n"
    'network.compile("sgd", "mse", ["mae"])?;',
    "let history = network.fit(&x, &Tensor::zeros([64, 1]), Fit::epochs(1_000_000).batch_size(8))?;",
    'println!("still there: {}", network.evaluate(&x, &Tensor::zeros([64, 1]))?);',
    'let name = input("Your name? ")?;\nprintln!("hello {name}");',
    'for step in 0..=20 { print!("\\rstep {step} of 20"); }',
    "// complete here\n",
]
QUICK = ["let sum = Tensor::arange(0., 5., 1.).sum();", "sum.item()"]
LIGHT = {"@jupyterlab/apputils-extension/themes.jupyterlab-settings": {"theme": "JupyterLab Light"}}
DARK = {"@jupyterlab/apputils-extension/themes.jupyterlab-settings": {"theme": "JupyterLab Dark"}}


def write(path: pathlib.Path, sources: list[str]) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    kernelspec = {"name": "rust-dl", "display_name": "Rust (deep learning)", "language": "rust"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec}), path)


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    write(tmp_path / "work.ipynb", CELLS)
    write(tmp_path / "quick.ipynb", QUICK)
    return tmp_path


def test_a_notebook_at_work(page: Page, lab) -> None:
    open_notebook(page, "work.ipynb", *lab)
    wait_for_idle(page)

    # The interrupt button ends training and keeps the model.
    wait_until_done(run(page, "network.compile"))
    fit = run(page, "network.fit")
    fit.locator(".jp-OutputArea-output img").first.wait_for()
    page.locator('[data-jp-item-name="interrupt"]').first.click()
    wait_until_done(fit)
    page.screenshot(path=SCREENSHOTS / "interrupted.png")
    assert fit.locator('[data-mime-type="application/vnd.jupyter.error"]').count() == 0
    _, encoded = fit.locator('.jp-OutputArea-output img[src^="data:image/svg+xml;base64,"]').first.get_attribute("src").split(",")
    assert "interrupted" in base64.b64decode(encoded).decode()
    scores = run(page, "network.evaluate")
    expect(scores.locator(".jp-OutputArea-output")).to_contain_text("still there: loss:")

    # An input box.
    asks = run(page, "input(")
    box = asks.locator("input.jp-Stdin-input")
    box.wait_for()
    page.screenshot(path=SCREENSHOTS / "input.png")
    box.fill("Ada")
    box.press("Enter")
    expect(asks.locator(".jp-OutputArea")).to_contain_text("hello Ada")

    # A bar that returns to the start of its line leaves one line.
    bar = run(page, "of 20")
    wait_until_done(bar)
    expect(bar.locator(".jp-OutputArea-output pre")).to_have_text(re.compile(r"^\s*step 20 of 20\s*$"))

    # Completion of a model's methods, and documentation.
    empty = page.locator(".jp-CodeCell").last
    empty.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.type("network.eval")
    page.keyboard.press("Tab")
    page.locator(".jp-Completer").wait_for()
    page.keyboard.press("Enter")
    expect(empty.locator(".cm-content")).to_contain_text("network.evaluate")
    page.keyboard.press("Control+a")
    page.keyboard.type("network.")
    page.keyboard.press("Tab")
    popup = page.locator(".jp-Completer")
    popup.wait_for()
    expect(popup).to_contain_text("predict")
    page.screenshot(path=SCREENSHOTS / "completion.png")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+a")
    page.keyboard.type("Tensor::zeros")
    page.keyboard.press("Shift+Tab")
    tooltip = page.locator(".jp-Tooltip")
    tooltip.wait_for()
    expect(tooltip).to_contain_text("zeros")
    page.screenshot(path=SCREENSHOTS / "tooltip.png")
    # Escape leaves the cell as well.
    page.keyboard.press("Escape")
    empty.locator(".cm-content").click()
    # Among the arguments of a call, the function is what one asks about.
    page.keyboard.press("Control+a")
    page.keyboard.type("network.fit(&x, ")
    page.keyboard.press("Shift+Tab")
    tooltip.wait_for()
    expect(tooltip).to_contain_text("fn fit(")
    page.screenshot(path=SCREENSHOTS / "tooltip-call.png")
    page.keyboard.press("Escape")
    empty.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.type(":ti")
    page.keyboard.press("Tab")
    popup.wait_for()
    expect(popup).to_contain_text(":timing")
    page.screenshot(path=SCREENSHOTS / "commands.png")


def test_restart_and_run_all(page: Page, lab) -> None:
    open_notebook(page, "quick.ipynb", *lab)
    wait_for_idle(page)
    menu(page, "Run", "Run All Cells")
    last = page.locator(".jp-CodeCell").last
    wait_until_done(last)
    menu(page, "Kernel", "Restart Kernel and Run All Cells…")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    # The numbers begin anew, and so does the output.
    expect(last.locator(".jp-InputPrompt")).to_have_text("[2]:")
    expect(last.locator(".jp-OutputArea-output").first).to_contain_text("10.0")
    wait_for_idle(page)


# The colour of a picture at a point.
COLOUR = """
async ([picture, x, y]) => {
    const image = new Image();
    image.src = "data:image/png;base64," + picture;
    await image.decode();
    const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
    context.drawImage(image, 0, 0);
    return [...context.getImageData(x, y, 1, 1).data].slice(0, 3);
}
"""


@pytest.mark.parametrize("lab", [LIGHT, DARK], indirect=True, ids=["light", "dark"])
def test_charts_follow_the_theme(page: Page, lab, folder: pathlib.Path, request: pytest.FixtureRequest) -> None:
    dark = request.node.callspec.id == "dark"
    write(folder / "theme.ipynb", [CELLS[0], CELLS[1].replace("1_000_000", "5"), "network.summary()", "x"])
    open_notebook(page, "theme.ipynb", *lab)
    wait_for_idle(page)
    menu(page, "Run", "Run All Cells")
    wait_until_done(page.locator(".jp-CodeCell").last)
    assert page.evaluate("document.body.dataset.jpThemeLight") == str(not dark).lower()
    page.screenshot(path=SCREENSHOTS / f"{'dark' if dark else 'light'}.png", full_page=True)
    chart = page.locator(".jp-OutputArea-output img").first.screenshot()
    ground = page.evaluate(COLOUR, [base64.b64encode(chart).decode(), 10, 100])
    assert sum(ground) < 150 if dark else sum(ground) > 700, f"the chart's ground is {ground}"
    ink = page.locator(".jp-OutputArea-output pre").last.evaluate("(area) => getComputedStyle(area).color")
    bright = sum(int(part) for part in re.findall(r"\d+", ink)[:3])
    assert bright > 380 if dark else bright < 380, f"{ink} on the page's ground"
