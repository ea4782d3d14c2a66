import pytest
from example_run import make

from edgecnn.report.facts import gather


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    return make(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def failed_folders(tmp_path_factory):
    return make(tmp_path_factory.mktemp("failed"), fail=True, frames=1)


@pytest.fixture(scope="session")
def facts(folders):
    return gather(folders)


@pytest.fixture(scope="session")
def failed(failed_folders):
    return gather(failed_folders)
