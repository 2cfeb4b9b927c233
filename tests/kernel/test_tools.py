"""Programs that run notebooks without a person: nbclient, nbconvert, papermill, jupytext."""

import pathlib
import subprocess
import sys

import nbformat
import pytest
from client import KERNEL
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def notebook(*cells):
    cells = [cell if isinstance(cell, dict) else new_code_cell(cell) for cell in cells]
    kernelspec = {"name": KERNEL, "display_name": "Rust (deep learning)", "language": "rust"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernelspec, "language_info": {"name": "rust"}})


def outputs(cell):
    return "".join(
        output.get("text", "") or output.get("data", {}).get("text/plain", "") or output.get("ename", "")
        for output in cell["outputs"]
    )


def python(*arguments):
    done = subprocess.run([sys.executable, "-m", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nbclient_runs_and_stops_where_it_should():
    expected = new_code_cell('panic!("expected")')
    expected["metadata"]["tags"] = ["raises-exception"]
    ran = notebook("let x = 20;", 'println!("{x}"); x + 1', expected, 'input("?").is_err()', "x * 2")
    NotebookClient(ran, kernel_name=KERNEL).execute()
    assert [outputs(cell) for cell in ran["cells"]] == ["", "20\n21", "panic", "true", "40"]
    assert [cell["execution_count"] for cell in ran["cells"]] == [1, 2, 3, 4, 5]
    with pytest.raises(CellExecutionError, match="E0308"):
        NotebookClient(notebook('let x: i32 = "a";', "1"), kernel_name=KERNEL).execute()


def test_nbconvert_executes(tmp_path):
    path = tmp_path / "in.ipynb"
    nbformat.write(notebook("let a = 1;", "a + 41"), path)
    python("jupyter", "nbconvert", "--to", "notebook", "--execute", path, "--output", "out.ipynb")
    assert outputs(nbformat.read(tmp_path / "out.ipynb", 4)["cells"][1]) == "42"
    python("jupyter", "nbconvert", "--to", "script", tmp_path / "out.ipynb")
    assert "let a = 1;" in (tmp_path / "out.rs").read_text()


def test_papermill_sets_parameters_of_every_kind(tmp_path):
    sys.path.insert(0, str(REPOSITORY / "integrations" / "papermill"))
    import papermill
    import rust_dl_papermill  # noqa: F401 (what installing it does)

    parameters = new_code_cell("""
        let mut epochs: usize = 5; let mut rate: f32 = 0.1; let mut name = "none"; let mut title = String::new();
        let mut layers: Vec<usize> = vec![]; let mut fast = false; let mut seed: Option<u64> = Some(1);
        let mut grid: Vec<Vec<f64>> = vec![]; let mut by_name: std::collections::BTreeMap<String, i64> = Default::default();
    """)
    parameters["metadata"]["tags"] = ["parameters"]
    show = 'format!("{epochs} {rate} {name:?} {title:?} {layers:?} {fast} {seed:?} {grid:?} {by_name:?}")'
    source, target = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    nbformat.write(notebook(parameters, f'println!("{{}}", {show});'), source)
    values = {"epochs": 3, "rate": 1e-3, "name": 'é "quoted" \\ \n\x07', "title": "t", "layers": [64, 10], "fast": True,
              "seed": None, "grid": [[1.0, float("inf")], []], "by_name": {"a": -1}}
    papermill.execute_notebook(source, target, parameters=values, progress_bar=False)
    shown = outputs(nbformat.read(target, 4)["cells"][-1])
    assert shown == '3 0.001 "é \\"quoted\\" \\\\ \\n\\u{7}" "t" [64, 10] true None [[1.0, inf], []] {"a": -1}\n'


def test_jupytext_keeps_commands_and_cells(tmp_path):
    import jupytext

    cells = [
        new_markdown_cell("# A title\n\nText."), ':dep rand = "0.9"\n:vars', "// a comment\nlet x = 1;\n\nlet y = 2;",
        "fn f() -> i32 {\n    1\n}\n\nf()", "Tensor?",
    ]
    before = notebook(*cells)
    path = tmp_path / "notebook.rs"
    for form in ("rs:percent", "rs:light"):
        jupytext.write(before, path, fmt=form)
        after = jupytext.read(path)
        assert [(c["cell_type"], c["source"]) for c in after["cells"]] == [
            (c["cell_type"], c["source"]) for c in before["cells"]], form
        assert after["metadata"]["kernelspec"]["name"] == KERNEL
