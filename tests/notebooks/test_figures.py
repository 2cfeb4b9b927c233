"""The figures of the chapters: their tables say what the saved notebooks and `seeds.json` say."""

import json
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import replay  # noqa: E402
from figures import FIGURES  # noqa: E402

AGAIN = "run replay.py --seeds 5 for this chapter"


def test_the_table_in_the_readme_is_what_the_notebooks_reached() -> None:
    written = replay.README.read_text().split(replay.BEGIN)[1].split(replay.END)[0].strip()
    assert written == replay.table(), "notebooks/README.md is old; run replay.py --table"


@pytest.mark.parametrize("stem", FIGURES)
def test_each_figure_has_a_name_of_its_own_and_five_seeds(stem: str) -> None:
    names = [f"{figure.cell}: {figure.says}" for figure in FIGURES[stem]]
    assert len(set(names)) == len(names), "two figures of one cell share a name, and their seeds would be mixed"
    seeds = json.loads((HERE / "seeds.json").read_text())[stem]
    assert list(seeds) == names, AGAIN
    assert {len(found) for found in seeds.values()} == {5}, AGAIN
