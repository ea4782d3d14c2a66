import pytest
from bench_bundle import make_bundle


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("bench") / "tiny")
