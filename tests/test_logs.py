"""Where log lines go: logs of virtual hosts, programs, syslog's format, levels in sections, and what happens when a log fails."""
import os
import re
import signal
import stat

import pytest

from harness import waiting
from harness.server import read

VIRTUAL_HOST = """
<VirtualHost *:@port@>
    ServerName {name}
    {more}
    WSGIScriptAlias /speak "@apps@/speak/app.py"
</VirtualHost>
"""


def wait_for(path, pattern, times=1):
    found = re.compile(pattern, re.M)
    waiting.until(lambda: len(found.findall(read(path))) >= times, f"{pattern!r} in {path.name}")
    return read(path)


def test_a_virtual_host_has_its_own_error_log(serve, tmp_path):
    config = "PythonInterpreter one\n" + "".join(
        VIRTUAL_HOST.format(name=name, more=more) for name, more in [("a", ""), ("b", 'ErrorLog "@tmp@/b.err"')]
    )
    server = serve(config)
    for host in ["a", "b"]:
        with server.new_client(host=host) as client:
            assert client.get("/speak?say=of-" + host).status_code == 200
    wait_for(tmp_path / "b.err", "of-b")
    server.wait_for_log("of-a")
    assert "of-a" not in read(tmp_path / "b.err")
    assert "of-b" not in server.log()
    # What its application raises is there as well, and what is about the server itself is not.
    with server.new_client(host="b") as client:
        assert client.get("/speak?raise").status_code == 500
    wait_for(tmp_path / "b.err", r"^\[.*\] \[python:error\] .*\[client 127\.0\.0\.1:\d+\] \[request")
    assert "ready:" not in read(tmp_path / "b.err")


def test_an_error_log_format(serve, tmp_path):
    server = serve(
        r"""
        ErrorLogFormat "%m/%l/%v% |[client\ %a]% |%M"
        WSGIScriptAlias /speak "@apps@/speak/app.py"
        """
    )
    server.get("/speak?say=formatted")
    server.wait_for_log(r"(?m)^python/error/localhost\|.*formatted$")


def test_levels_in_sections_and_hosts(serve, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    server = serve(
        """
        LogLevel warn
        Alias /quiet "@tmp@/files"
        Alias /loud "@tmp@/files"
        <Directory "@tmp@/files">
            Require all granted
        </Directory>
        <Location /loud>
            LogLevel debug
        </Location>
        """
    )
    for path in ["/quiet/none", "/loud/none"]:
        assert server.get(path).status_code == 404
    server.wait_for_log(r"\[static:debug\].*/loud|\[static:debug\].*files/none")
    assert server.log().count("[static:debug]") == 1, server.log()


def test_a_program_takes_the_lines_of_all_workers(serve, tmp_path):
    server = serve(
        """
        CustomLog "|$cat >> @tmp@/shell.log" "%U %s"
        CustomLog "|/bin/cp /dev/stdin @tmp@/words.log" "%U"
        WSGIScriptAlias /hello "@apps@/hello/app.py"
        """,
        workers=2,
    )
    for number in range(30):
        with server.new_client() as client:
            assert client.get(f"/hello/{number}").status_code == 200
    text = wait_for(tmp_path / "shell.log", r"^/hello/\d+ 200$", times=30)
    assert sorted(text.split()[::2]) == sorted(f"/hello/{number}" for number in range(30))
    assert server.stop() == 0
    # A program is waited for at the end.
    assert len(read(tmp_path / "words.log").splitlines()) == 30


def test_a_dead_program_is_started_again_and_nobody_notices(serve, tmp_path):
    script = tmp_path / "log.sh"
    script.write_text(f"#!/bin/sh\necho $$ >> {tmp_path}/pids\nwhile read -r line; do echo \"$line\" >> {tmp_path}/out.log; done\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    server = serve('CustomLog "|@tmp@/log.sh" "%U"\nWSGIScriptAlias /hello "@apps@/hello/app.py"')
    server.get("/hello/before")
    wait_for(tmp_path / "out.log", "/hello/before")
    os.kill(int(read(tmp_path / "pids").split()[0]), signal.SIGKILL)
    assert server.get("/hello/after").status_code == 200
    wait_for(tmp_path / "out.log", "/hello/after")
    assert len(read(tmp_path / "pids").split()) == 2
    assert "it is started again" in server.log()


def test_an_error_log_to_a_program(serve, tmp_path):
    server = serve(
        """
        ErrorLog "|$cat >> @tmp@/piped.err"
        WSGIScriptAlias /speak "@apps@/speak/app.py"
        """
    )
    server.get("/speak?say=through-the-pipe")
    wait_for(tmp_path / "piped.err", r"\[python:error\].*through-the-pipe")
    assert server.stop() == 0
    assert read(tmp_path / "piped.err").endswith("stopped\n")


def test_rotatelogs_needs_no_program(serve, tmp_path):
    server = serve(
        """
        CustomLog "|/no/such/bin/rotatelogs -D @tmp@/rotated/access.%Y 86400" "%U"
        WSGIScriptAlias /hello "@apps@/hello/app.py"
        """
    )
    server.get("/hello/rotated")
    folder = tmp_path / "rotated"
    waiting.until(lambda: folder.is_dir() and list(folder.iterdir()), "a rotated log")
    (log,) = folder.iterdir()
    assert re.fullmatch(r"access\.\d{4}", log.name)
    wait_for(log, "/hello/rotated")


def test_a_reload_starts_the_programs_anew(serve, tmp_path):
    server = serve('CustomLog "|$echo begin >> @tmp@/out.log; cat >> @tmp@/out.log" "%U"\nWSGIScriptAlias /hello "@apps@/hello/app.py"')
    server.get("/hello/1")
    server.process.send_signal(signal.SIGUSR1)
    server.wait_for_log(r"ready: .*generation 2")
    server.get("/hello/2")
    text = wait_for(tmp_path / "out.log", "/hello/2")
    assert text.count("begin") == 2 and "/hello/1" in text


@pytest.mark.parametrize("target", ["/dev/full", "|$exit 1", "|$exec sleep 60"])
def test_a_log_that_fails_takes_nothing_down(serve, target):
    server = serve(f'ErrorLog /dev/full\nCustomLog "{target}" combined\nWSGIScriptAlias /speak "@apps@/speak/app.py"')
    for _ in range(50):
        assert server.get("/speak?say=" + "x" * 3000).status_code == 200
    server.process.send_signal(signal.SIGUSR1)
    waiting.until(lambda: server.get("/speak").status_code == 200, "an answer")


def test_a_program_that_is_not_there_is_said_at_once(serve):
    server = serve('CustomLog "|/no/such/program" combined', start=False)
    server.launch()
    assert server.process.wait(20) == 1
    assert 'cannot open the log "|/no/such/program": No such file or directory' in server.log()


def test_global_log_and_transfer_log(serve, tmp_path):
    server = serve(
        r"""
        GlobalLog "@tmp@/global.log" "%v %U"
        LogFormat "default %U"
        <VirtualHost *:@port@>
            ServerName one
            TransferLog "@tmp@/one.log"
        </VirtualHost>
        """,
        python_home=False,
    )
    with server.new_client(host="one") as client:
        client.get("/x")
    wait_for(tmp_path / "one.log", "^default /x$")
    wait_for(tmp_path / "global.log", "^one /x$")
    assert read(server.access_log) == ""
