"""Rules that look at requests, on Alula and on Debian's apache2 side by side: the same answers to the same questions.

Each case is a virtual host; the rules of all are in one configuration, so that both servers start once.
"""
import shutil

import pytest

from harness import apache

SHOW = """
    Header always set X-Variables "%{A}e|%{B}e|%{REDIRECT_A}e|%{SCRIPT_URL}e|%{REDIRECT_URL}e|%{REDIRECT_STATUS}e"
    Header always set X-Uri "expr=%{REQUEST_URI}?%{QUERY_STRING}"
"""

from as_apache_cases import CASES, EXPRESSIONS  # noqa: E402


@pytest.fixture(scope="module")
def both(serve_module):
    apache.program()
    site = apache.site_folder()
    make_site(site)
    config = ""
    for number, case in enumerate(CASES):
        config += f"<VirtualHost *:@port@>\nServerName case{number}.example\nServerAlias alias{number}.example\n{SHOW}\n{case[0]}\n</VirtualHost>\n"
    config += "<VirtualHost *:@port@>\nServerName expr.example\nSetEnvIf Host . S=set\n"
    for number, expression in enumerate(EXPRESSIONS):
        quoted = expression.replace("\\", "\\\\").replace('"', '\\"')
        config += f'Header always append X-Yes {number} "expr={quoted}"\n'
    config += "</VirtualHost>\n"
    theirs = apache.Apache(config, site)
    ours = 'DocumentRoot "@site@"\n' + config
    ours = serve_module(ours.replace("@site@", str(site)))
    yield ours, theirs, site
    theirs.stop()
    shutil.rmtree(site)


def make_site(site):
    for name in ["index.html", "a.txt", "b.txt", "dir/index.html", "dir/c.txt", "dir/sub/d.txt", "with space.txt",
                 "down", "app/e.txt", "deny/f.txt", "maps/table.txt"]:
        file = site / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"content of {name}\n")
    (site / "maps/table.txt").write_text("# table\none b.txt\ntwo   dir/c.txt  # comment\n")
    (site / "empty.txt").write_text("")
    (site / "link.txt").symlink_to(site / "a.txt")


def ask(server, number, question):
    target, headers = question if isinstance(question, tuple) else (question, ())
    with server.connect() as connection:
        method = "GET"
        if " " in target:
            method, target = target.split(" ", 1)
        host = f"case{number}.example"
        for header in headers:
            if header.startswith("Host:"):
                host = header[5:].strip()
        headers = [header for header in headers if not header.startswith("Host:")]
        response = connection.get(target, method=method, headers=headers, host=host)
    port = str(server.port)
    location = response.one("Location")
    shown = {
        "status": response.status,
        # A path stands for a URL of this server.
        "location": location and (f"http://{host}" * location.startswith("/") + location).replace(port, "PORT").lower(),
        "variables": response.one("X-Variables"),
        "uri": response.one("X-Uri"),
        "cookie": response.all("Set-Cookie"),
        "extra": [value for name in ("X-Extra", "X-More") for value in response.all(name)],
    }
    if response.status == 200:
        shown["body"] = response.body
        shown["type"] = (response.one("Content-Type") or "").split(";")[0]
    return shown


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case[0].strip().splitlines()[0][:60] for case in CASES])
def test_same_answers(both, number):
    ours, theirs, _ = both
    config, questions = CASES[number]
    for question in questions:
        expected, found = ask(theirs, number, question), ask(ours, number, question)
        assert found == expected, f"{question} with\n{config}"


def test_same_truth(both):
    ours, theirs, _ = both
    found, expected = (set(true_expressions(server)) for server in (ours, theirs))
    assert expected
    assert (found - expected, expected - found) == (set(), set())


def true_expressions(server):
    with server.connect() as connection:
        response = connection.get("/a.txt?q=1", headers=["X-A: one"], host="expr.example:80")
    numbers = response.one("X-Yes") or ""
    return [EXPRESSIONS[int(number)] for number in numbers.split(", ") if number]
