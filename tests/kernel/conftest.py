"""Kernels for the tests."""

import pytest
from client import Kernel


@pytest.fixture(scope="module", autouse=True)
def history_of_its_own(tmp_path_factory):
    """What the tests enter is neither found among the user's cells nor mixed with another module's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="module")
def shared():
    kernel = Kernel()
    yield kernel
    kernel.end()


@pytest.fixture
def kernel(tmp_path):
    """One of its own, whose cache is seen: `kernel.cache`."""
    kernel = Kernel(XDG_CACHE_HOME=str(tmp_path))
    kernel.cache = tmp_path / "rust-dl"
    yield kernel
    kernel.end()
