"""One server for the tests of what stands around it, as the plugin has it for tests of applications."""

from collections.abc import Iterator

import pytest

from onhook.testing import Laboratory, Server
from unit.testing.own_application import Application


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"), {"sip__max_calls_per_number": 50})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def lab(server: Server) -> Iterator[Laboratory]:
    laboratory = Laboratory(server)
    yield laboratory
    laboratory.close()


@pytest.fixture
def application(lab: Laboratory) -> Application:
    return Application(lab)
