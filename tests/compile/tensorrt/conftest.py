"""A cache of engines of each test's own."""

import pytest


@pytest.fixture(autouse=True)
def engine_cache(tmp_path, monkeypatch):
    """Return the folder that engines built in the test are kept in."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("EDGECNN_CACHE", str(folder))
    return folder / "tensorrt"
