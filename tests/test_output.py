"""What an application prints goes to the error log, whole lines, and never into a response."""
import re

import pytest

from harness import django


@pytest.fixture(scope="module")
def server(serve_module):
    server = serve_module('WSGIScriptAlias / "@apps@/noisy/app.py"', env={"LANG": "C", "LC_ALL": "C"})
    with server.connect() as connection:
        for _ in range(2):
            response = connection.get("/")
            assert (response.status, response.body) == (200, b"quiet")
            assert connection.buffer == b""
    return server


@pytest.mark.parametrize(
    "line",
    ["printed-line", "printed ünïcode 日本", "stderr-line", "errors-line", "buffer-line"],
)
def test_python_streams(server, line):
    server.wait_for_log(re.escape(line), times=2)


def test_a_line_that_is_not_ended_comes_with_the_next(server):
    server.wait_for_log("no newline at the end")


@pytest.mark.parametrize("line", ["descriptor-one", "descriptor-two", "child-line"])
def test_the_descriptors_themselves(server, line):
    server.wait_for_log(line, times=2)


def test_printed_lines_go_to_the_error_log_file(server):
    server.wait_for_log("printed-line", times=2)
    assert "printed-line" in server.error_log.read_text()


def test_a_printed_line_says_which_process_printed_it(server):
    server.wait_for_log("printed-line", times=2)
    line = next(line for line in server.error_log.read_text().splitlines() if "printed-line" in line)
    assert re.search(r"\d{2}:\d{2}:\d{2}.*(pid|worker)\W*\d+", line), line


def test_times_in_the_log_do_not_follow_djangos_time_zone(serve):
    # Django sets TZ for its process (America/Chicago unless told otherwise); the log must not change zone in the middle.
    server = serve(django.location("django_failures", "failures_site.settings"), env={"TZ": "UTC"})
    assert server.get("/prints/").text == "quiet"
    log = server.wait_for_log("printed-by-the-view")
    hours = {int(hour) for hour in re.findall(r"^\[\w+ \w+ +\d+ (\d\d):", log, re.M)}
    assert max(hours) - min(hours) <= 1 or hours == {0, 23}
