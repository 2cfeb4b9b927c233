"""install.sh where things are not as they should be, and what it leaves behind.

Every case runs the real script. What a machine lacks is taken away through PATH, proxies and
small file systems; nothing in install.sh knows that it is being tested.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess

import pytest

REPO = pathlib.Path(__file__).resolve().parents[2]
NO_PROXY = "http://127.0.0.1:9"


def install(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [REPO / "install.sh", *arguments],
        env=os.environ | environment, cwd="/", text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )


def shim(folder: pathlib.Path, name: str, script: str) -> str:
    """A command that stands before the real one; the PATH that has it."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def path_without(*names: str, into: pathlib.Path) -> str:
    """A PATH of one folder that links to every command but these."""
    into.mkdir()
    for folder in os.environ["PATH"].split(":"):
        for command in pathlib.Path(folder).glob("*"):
            link = into / command.name
            if command.name not in names and not link.exists():
                link.symlink_to(command)
    return str(into)


def tree(root: pathlib.Path) -> dict[str, str]:
    """Every file below `root` with a digest of its content, every folder and link by name."""
    found = {}
    for path in sorted(root.rglob("*")):
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path.relative_to(root))] = hashlib.sha256(content).hexdigest()
    return found


def assert_fails(result: subprocess.CompletedProcess, *words: str) -> None:
    assert result.returncode != 0, result.stdout
    for word in words:
        assert word in result.stdout, f"expected {word!r} in:\n{result.stdout}"


def test_an_old_rustc_is_named_with_the_command_that_updates_it(tmp_path):
    path = shim(tmp_path / "bin", "rustc", "echo 'rustc 1.94.1 (abcdef 2026-01-01)'")
    assert_fails(install("--prefix", str(tmp_path / "p"), PATH=path), "1.95 or newer", "1.94.1", "rustup update stable")
    assert not (tmp_path / "p").exists()


def test_missing_rust_src_gives_the_command_that_adds_it(tmp_path):
    script = f'case "$*" in *sysroot*) echo {tmp_path};; *) echo "rustc 1.95.0 (abcdef 2026-04-14)";; esac'
    path = shim(tmp_path / "bin", "rustc", script)
    assert_fails(install("--prefix", str(tmp_path / "p"), PATH=path), "rustup component add rust-src")


@pytest.mark.parametrize("name, advice", [("cargo", "rustup.rs"), ("cc", "gcc"), ("python3", "apt-get install python3")])
def test_a_missing_tool_is_named(tmp_path, name, advice):
    path = path_without(name, into=tmp_path / "bin")
    assert_fails(install("--prefix", str(tmp_path / "p"), PATH=path), name, advice)


def test_a_prefix_that_cannot_be_written_is_refused_before_anything_is_built(tmp_path):
    # A folder that even root cannot write into.
    assert_fails(install("--prefix", "/proc/rust-dl"), "/proc/rust-dl/share/rust-dl cannot be written", "--prefix DIR")
    (tmp_path / "file").write_text("")
    assert_fails(install("--prefix", str(tmp_path / "file" / "p")), "cannot be written")


@pytest.mark.parametrize("arguments, words", [(["--prefix"], "--prefix needs a directory"), (["--notebooks"], "--notebooks needs a directory"), (["--labs"], "unknown option: --labs")])
def test_wrong_arguments_are_refused(arguments, words):
    assert_fails(install(*arguments), words)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 16 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small file system needs root: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_named_with_what_is_free_and_needed(small_disk):
    assert_fails(install("--prefix", str(small_disk)), str(small_disk), "16 MB free", "Free some space")


def test_a_disk_that_fills_up_midway_is_named(small_disk):
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPO / "target"))
    if not (target / "release/rust-dl").exists():
        pytest.skip("not built yet")
    result = subprocess.run(
        [target / "release/rust-dl", "install", "--prefix", small_disk, "--source", REPO],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    assert_fails(result)
    assert "space" in result.stdout.lower(), result.stdout
    assert not (small_disk / "share/jupyter/kernels/rust-dl/kernel.json").exists(), "a half-made kernel is offered"


def test_uninstalling_where_nothing_is_says_so(tmp_path):
    result = install("--uninstall", "--prefix", str(tmp_path / "p"), HOME=str(tmp_path))
    assert result.returncode == 0, result.stdout
    assert "Nothing is installed" in result.stdout
    assert tree(tmp_path) == {}


def assert_chapters_are_the_readers(home: pathlib.Path, prefix: pathlib.Path, jupyter: dict[str, str]) -> None:
    """--lab opens a copy: the checkout stays clean, and what the reader changed stays his."""
    chapters = {path.name: path.read_bytes() for path in (REPO / "notebooks").glob("*.ipynb")}
    mine = home / "rust-dl-notebooks"
    opened = install("--prefix", str(prefix), "--lab", **jupyter)
    assert opened.returncode == 0 and str(mine) in opened.stdout, opened.stdout
    assert {path.name: path.read_bytes() for path in mine.glob("*.ipynb")} == chapters
    changed = mine / min(chapters)
    changed.write_text("mine")
    (mine / max(chapters)).unlink()
    again = install("--prefix", str(prefix), "--lab", **jupyter)
    assert f"kept as you left them: {changed.name}" in again.stdout, again.stdout
    assert changed.read_text() == "mine"
    assert (mine / max(chapters)).read_bytes() == chapters[max(chapters)]
    assert {path.name: path.read_bytes() for path in (REPO / "notebooks").glob("*.ipynb")} == chapters
    elsewhere = install("--prefix", str(prefix), "--lab", "--notebooks", str(home / "other"), **jupyter)
    assert (home / "other" / changed.name).read_bytes() == chapters[changed.name], elsewhere.stdout


def test_what_is_installed_survives_failures_and_uninstall_leaves_nothing(tmp_path):
    """One installation for all of these: it takes a while to make."""
    home, prefix = tmp_path / "home", tmp_path / "prefix"
    home.mkdir()
    # A Jupyter that is found, so that none is installed here; tests/run installs one.
    jupyter = {"HOME": str(home), "PATH": shim(tmp_path / "jupyter", "jupyter", "echo 4.5.0")}
    no_jupyter = {"HOME": str(home), "PATH": shim(tmp_path / "no-jupyter", "jupyter", "exit 1")}
    no_network = {name: NO_PROXY for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY")}
    no_network |= {"CARGO_NET_RETRY": "0", "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}

    first = install("--prefix", str(prefix), **jupyter)
    assert first.returncode == 0, first.stdout
    assert (prefix / "share/jupyter/kernels/rust-dl/kernel.json").exists()
    installed = tree(prefix)

    again = install("--prefix", str(prefix), **jupyter)
    assert again.returncode == 0, again.stdout
    assert tree(prefix) == installed, "a second run changes nothing"

    cargo = install("--prefix", str(prefix), **jupyter | no_network | {"CARGO_HOME": str(tmp_path / "cargo")})
    assert_fails(cargo, "could not be downloaded", "HTTPS_PROXY")
    assert tree(prefix) == installed

    lab = install("--prefix", str(prefix), **no_jupyter | no_network)
    assert_fails(lab, "could not be downloaded")
    doctor = subprocess.run([prefix / "share/rust-dl/bin/rust-dl", "doctor"], env=os.environ | jupyter, capture_output=True, text=True)
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr

    assert_chapters_are_the_readers(home, prefix, jupyter)
    assert tree(prefix) == installed

    removed = install("--prefix", str(prefix), "--uninstall", **jupyter)
    assert removed.returncode == 0, removed.stdout
    for words in ("removing the kernelspec", "removing the program", "kept your notebooks"):
        assert words in removed.stdout, removed.stdout
    assert not prefix.exists(), list(tree(prefix))
    for own in (home / "rust-dl-notebooks", home / "other"):
        shutil.rmtree(own)
    assert tree(home) == {}, "nothing else stays in the home directory"
