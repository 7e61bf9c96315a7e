"""Fixtures of the end-to-end tests.

`serve(directives)` starts a server for one test, `serve_module(directives)` one for a whole file. Both stop what they
started, and a failing test shows configuration and log of every server it used.
"""
import resource

import pytest

from harness import venvs
from harness.back_end import BackEnd, echo
from harness.server import Server

LIVE = []


def pytest_configure(config):
    # A test with a thousand connections needs as many descriptors; the server looks after its own limit.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))


def pytest_report_header():
    return [f"alula: {venvs.BINARY}", "virtualenvs: " + ", ".join(str(venv) for venv in venvs.everything())]


def pytest_runtest_setup(item):
    for server in LIVE:
        server.used = False


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for server in filter(lambda server: server.used, LIVE):
            report.sections.append((f"server on port {server.port}", server.report()))


@pytest.fixture(scope="session")
def venv():
    """The virtualenv with the newest Django, on the newest Python."""
    return venvs.newest()


@pytest.fixture
def serve(tmp_path):
    yield from servers(tmp_path)


@pytest.fixture(scope="module")
def serve_module(tmp_path_factory):
    yield from servers(tmp_path_factory.mktemp("server"))


def servers(tmp):
    started = []

    def serve(config, *, start=True, **options):
        folder = tmp / f"server{len(started)}" if started else tmp
        folder.mkdir(exist_ok=True)
        server = Server(folder, config, **options)
        started.append(server)
        LIVE.append(server)
        return server.start() if start else server

    yield serve
    for server in started:
        server.stop()
        LIVE.remove(server)


@pytest.fixture
def back_end():
    """Makes back ends, and stops them."""
    made = []

    def make(answer=echo, **options):
        made.append(BackEnd(answer, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()
