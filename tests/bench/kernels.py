"""Starting kernels and timing their cells, for the benchmarks."""

import atexit
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time

import nbformat
from jupyter_client.manager import KernelManager

REPO = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPO / "target"))
TIMEOUT = 600


@dataclasses.dataclass
class Cell:
    seconds: float
    text: str
    frames: int = 0  # displays and updates of displays


class Kernel:
    """A running kernel; `since` is when its process was launched."""

    def __init__(self, name: str, directory: pathlib.Path, environment: dict[str, str] | None = None) -> None:
        self.manager = KernelManager(kernel_name=name)
        self.since = time.perf_counter()
        self.manager.start_kernel(cwd=str(directory), env=os.environ | (environment or {}),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        atexit.register(self.manager.shutdown_kernel, now=True)  # a benchmark that fails leaves no kernel
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=TIMEOUT)

    def run(self, code: str) -> Cell:
        """Runs a cell; its time is from sending it to the reply that it is done."""
        text: list[str] = []
        frames = 0

        def keep(message: dict) -> None:
            nonlocal frames
            frames += message["msg_type"] in ("display_data", "update_display_data")
            content = message["content"]
            if message["msg_type"] == "error":
                raise SystemExit(f"a benchmark's cell failed:\n{code}\n" + "\n".join(content["traceback"] or [content["evalue"]]))
            text.append(content.get("text") or content.get("data", {}).get("text/plain", ""))

        began = time.perf_counter()
        self.client.execute_interactive(code, timeout=TIMEOUT, output_hook=keep, allow_stdin=False)
        return Cell(time.perf_counter() - began, "".join(text), frames)

    def close(self) -> None:
        atexit.unregister(self.manager.shutdown_kernel)
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def chapter(name: str) -> list[str]:
    """A chapter's cells of code, in order."""
    notebook = nbformat.read(REPO / "notebooks" / f"{name}.ipynb", as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def trains(code: str) -> bool:
    return ".fit(" in re.sub(r"//.*", "", code)


def stock_kernelspec(binary: pathlib.Path) -> tempfile.TemporaryDirectory:
    """A Jupyter path in which evcxr_jupyter is the kernel `stock`."""
    folder = tempfile.TemporaryDirectory()
    spec = pathlib.Path(folder.name) / "kernels" / "stock"
    spec.mkdir(parents=True)
    argv = [str(binary), "--control_file", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "stock", "language": "rust"}))
    os.environ["JUPYTER_PATH"] = f"{folder.name}:{os.environ.get('JUPYTER_PATH', '')}"
    return folder
