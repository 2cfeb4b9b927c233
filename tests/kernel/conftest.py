"""Kernels for the tests."""

import pytest
from client import Kernel


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
