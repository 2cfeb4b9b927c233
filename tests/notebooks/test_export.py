"""`rust-dl export`: a notebook's program does what the notebook did."""

import os
import pathlib
import shutil
import subprocess

import nbformat

REPO = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPO / "target"))  # what dlcore rests on is built there
RUST_DL = pathlib.Path.home() / ".local/share/rust-dl/bin/rust-dl"


def export(notebook: pathlib.Path) -> subprocess.CompletedProcess:
    return subprocess.run([RUST_DL, "export", notebook.name], cwd=notebook.parent, text=True, capture_output=True)


def write(path: pathlib.Path, *cells: str) -> pathlib.Path:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, path)
    return path


def test_the_program_says_what_the_cells_said(tmp_path: pathlib.Path) -> None:
    notebook = write(
        tmp_path / "1 try.ipynb",
        ":vars\nuse std::collections::BTreeMap;\nfn double(x: &Tensor) -> Tensor { x * 2.0 }",
        "let x = Tensor::arange(0., 3., 1.);\ndouble(&x)",
        "let x = x.sum().item(); let mut names = BTreeMap::new(); names.insert(\"sum\", x);",
        "async fn later(x: f64) -> f64 { x + 1.0 }\nprintln!(\"later {}\", later(x).await);\nnames",
    )
    broken = nbformat.v4.new_code_cell("nonsense(", metadata={"tags": ["raises-exception"]})
    whole = nbformat.read(notebook, as_version=4)
    whole.cells.append(broken)
    nbformat.write(whole, notebook)
    done = export(notebook)
    assert done.returncode == 0, done.stderr
    project = tmp_path / "notebook-1-try"
    ran = subprocess.run(
        ["cargo", "run", "--release", "--quiet"], cwd=project, text=True, capture_output=True,
        env=os.environ | {"CARGO_TARGET_DIR": str(TARGET)},
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == '[0. 2. 4.]\nlater 4\n{"sum": 3.0}\n'
    again = export(notebook)
    assert again.returncode == 1 and "is there already" in again.stderr
    shutil.rmtree(project)


def test_what_is_no_notebook_is_refused_and_leaves_nothing(tmp_path: pathlib.Path) -> None:
    bad = tmp_path / "bad.ipynb"
    bad.write_text('{"cells": 3')
    done = export(bad)
    assert done.returncode == 1 and "is no notebook" in done.stderr
    assert "no such" in export(tmp_path / "missing.ipynb").stderr.lower()
    assert [path.name for path in tmp_path.iterdir()] == ["bad.ipynb"]
