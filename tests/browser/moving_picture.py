"""Makes docs/training.gif: the chart of the first chapter growing in JupyterLab while `fit` runs.

usage: BROWSER_PATH=/usr/bin/chromium python tests/browser/moving_picture.py [FILE]

Needs the kernel installed for the present HOME, JupyterLab, the data sets (DLCORE_DATA) and Pillow beside tests/requirements.txt.
Screenshots are taken as fast as Chromium gives them, and shown at the pace at which they were taken.
"""

import contextlib
import io
import os
import pathlib
import sys
import tempfile
import time

import nbformat
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from conftest import BROWSER_FLAGS, lab_at
from jupyterlab_page import REPO, menu, open_notebook, wait_for_idle

FILE = REPO / "docs" / "training.gif"
EPOCHS = 12
CELLS = [
    "let mnist = datasets::mnist::load()?;\n"
    "let x = mnist.train_images.reshape([60_000, 28 * 28]).cast(DType::F32) / 255.0;\n"
    "let y = to_categorical(&mnist.train_labels, 10);",
    "let mut network = Sequential::new()\n"
    '    .add(Dense::new(512).activation("relu").input_shape([28 * 28]))\n'
    '    .add(Dense::new(10).activation("softmax"));\n'
    'network.compile("rmsprop", "categorical_crossentropy", ["accuracy"])?;\n'
    f"let settings = Fit::epochs({EPOCHS}).batch_size(128).validation_split(0.1);\n"
    "let history = network.fit(&x, &y, settings)?;",
]
# What README has room for, and no more frames than it takes to see the curves grow.
WIDTH, FRAMES, LARGEST = 800, 48, 1_000_000


def take(page: Page) -> list[tuple[float, Image.Image]]:
    """The page's notebook from the start of `fit` to its end, each picture with its time."""
    area = page.locator(".jp-NotebookPanel-notebook")
    fit = page.locator(".jp-CodeCell", has_text="network.fit(")
    menu(page, "Run", "Run All Cells")
    fit.locator(".jp-OutputArea-output img").first.wait_for()
    page.mouse.move(5, 500)
    taken = []
    while not any(character.isdigit() for character in fit.locator(".jp-InputPrompt").first.inner_text()):
        taken.append((time.monotonic(), Image.open(io.BytesIO(area.screenshot()))))
    wait_for_idle(page)
    taken.append((time.monotonic(), Image.open(io.BytesIO(area.screenshot()))))
    return taken


def write(taken: list[tuple[float, Image.Image]], path: pathlib.Path) -> None:
    """Every so many of the pictures, in one palette, as a GIF that rests on the last."""
    step = max(1, -(-len(taken) // FRAMES))
    chosen = taken[:-1:step] + [taken[-1]]
    height = round(chosen[0][1].height * WIDTH / chosen[0][1].width)
    small = [picture.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS) for _, picture in chosen]
    # Of all methods the one that keeps a colour of which there is little, such as that of a curve.
    palette = small[-1].quantize(128, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    frames = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in small]
    times = [at for at, _ in chosen]
    # A browser shows no frame for less than 20 ms, and the whole should not take longer than one likes to watch.
    pace = min(1.0, 8.0 / (times[-1] - times[0]))
    waits = [max(40, round(1000 * pace * (after - at))) for at, after in zip(times, times[1:])] + [3000]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=waits, loop=0, optimize=True)


def main() -> int:
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        folder = pathlib.Path(directory)
        kernelspec = {"name": "rust-dl", "display_name": "Rust (deep learning)", "language": "rust"}
        cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec}), folder / "training.ipynb")
        address, token = stack.enter_context(lab_at(folder, folder / ".settings"))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=os.environ["BROWSER_PATH"], args=BROWSER_FLAGS)
        page = browser.new_page(viewport={"width": 1180, "height": 700})
        page.set_default_timeout(300_000)
        open_notebook(page, "training.ipynb", address, token)
        page.keyboard.press("Control+b")  # without the side bar
        wait_for_idle(page)
        taken = take(page)
        browser.close()
    write(taken, path)
    size = path.stat().st_size
    print(f"{path}: {len(taken)} pictures taken, {size // 1024} KiB")
    return 0 if size < LARGEST else 1


if __name__ == "__main__":
    sys.exit(main())
