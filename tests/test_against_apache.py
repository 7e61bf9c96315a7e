"""Debian's apache2 and Alula, the same configuration, the same bytes: where they differ, `DIFFERENCES` says why.

The guide page "Coming from Apache" shows that list; a test below sees to it that it does.
"""
import itertools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import apache, raw, venvs
from harness.server import Server

GUIDE = Path(__file__).resolve().parent.parent / "docs/guide/apache.md"

MODULES = "alias authz_core authz_host access_compat dir mpm_prefork".split()

# (method, target pattern, what apache2 answers, what Alula answers, why)
DIFFERENCES = [
    ("POST", r".*\.txt.*", 200, 405, "a file is not changed by a POST: 405 instead of the file"),
    ("POST", r"/none", 404, 405, "nor is one that is not there"),
    ("TRACE", r".*", 200, 405, "TRACE is never answered: nothing needs it"),
    ("TRACE", r"/old", 302, 405, "TRACE is never answered: nothing needs it"),
    ("get", r".*", 501, 405, "a method nobody knows is 405 for a file"),
    ("BREW", r".*", 501, 405, "a method nobody knows is 405 for a file"),
]

# A `Location` without scheme and host means the same; the browser knows where it is.
PATHS_IN_LOCATION = "the redirect to a directory with its slash is a path and no URL: behind a proxy the URL would name the wrong host"

# Configurations that are wrong, and some that are only strange. `>` marks the line of the first error.
WRONG = {
    "unknown directive": "ServerName x\n>Listn 80\n",
    "two errors": "ServerName x\n>Listn 80\nAlso Wrong\n",
    "no argument": ">ServerName\n",
    "two for one": ">DocumentRoot /tmp /tmp\n",
    "flag": ">KeepAlive Perhaps\n",
    "context": "<VirtualHost *:80>\n>PidFile x\n</VirtualHost>\n",
    "context of Listen": "<VirtualHost *:80>\n>Listen 81\n</VirtualHost>\n",
    "listen twice": "Listen 8081\n>Listen 8081\n",
    "not a port": ">Listen nonsense:x\n",
    "root that is not there": ">DocumentRoot /no/such/folder\n",
    "options mixed": "<Directory /tmp>\n>Options Indexes +FollowSymLinks\n</Directory>\n",
    "unknown option": "<Directory /tmp>\n>Options Nonsense\n</Directory>\n",
    "unknown provider": "<Directory /tmp>\n>Require nonsense x\n</Directory>\n",
    "order with a blank": "<Directory /tmp>\n>Order allow, deny\n</Directory>\n",
    "allow without from": "<Directory /tmp>\n>Allow all\n</Directory>\n",
    "log format": '>LogFormat "%Y" x\n',
    "log level": ">LogLevel loud\n",
    "directory in location": "<Location /a>\n><Directory /tmp>\n</Directory>\n</Location>\n",
    "redirect status": ">Redirect 999 /a http://x/\n",
    "regular expression": ">AliasMatch (a /tmp\n",
    "rewrite in a word": ">Satisfy Some\n",
    "error directive": "ServerName x\n>Error stop\n",
    "quoted wrong": 'ServerName "x\nServerAdmin a@b\n',
    "false module holds anything": "<IfModule nonsense.c>\nListn 80\n</IfModule>\n",
    "variable undefined": 'ServerAdmin "${NO_SUCH_VARIABLE_X}"\n',
    "old spelling": "<Directory /tmp>\nOrder deny,allow\nDeny from all\nAllow from 127.0.0.1\n</Directory>\n",
    "name virtual host": "NameVirtualHost *:80\n<VirtualHost *:80>\nServerName a\n</VirtualHost>\n",
}

# Where apache2 has no complaint and Alula has.
STRICTER = {
    "LimitRequestFields many\n": "a number that is none is a mistake, where httpd reads 0",
    "Timeout -1\n": "a number that is none is a mistake, where httpd reads 0",
}

SITE = """
<VirtualHost *:@port@>
    ServerName first.example.com
    ServerAlias *.wild.example.com
    DocumentRoot "@site@/first"
    Redirect /old http://first.example.com/new
    Redirect permanent /gone/for/good /sub/
    RedirectMatch 303 ^/m/(.*)$ /sub/$1
    Alias /al "@site@/second"
    Alias /slash/ "@site@/second/"
    Header always set X-Host first
    ErrorDocument 404 "nothing here"
    <Location /closed>
        Require all denied
    </Location>
    <Location /opened>
        Require all granted
    </Location>
    <Files secret.txt>
        Require all denied
    </Files>
</VirtualHost>
<VirtualHost *:@port@>
    ServerName second.example.com
    ServerAlias exact.wild.example.com www.second.example.com
    DocumentRoot "@site@/second"
    Header always set X-Host second
    AllowEncodedSlashes On
</VirtualHost>
<VirtualHost *:@port@>
    ServerName third.example.com
    DocumentRoot "@site@/third"
    Header always set X-Host third
    AllowEncodedSlashes NoDecode
    DirectoryIndex none.html a.txt
</VirtualHost>
"""

HOSTS = [
    "first.example.com", "FIRST.example.com", "first.example.com.", "first.example.com:1", "second.example.com", "www.second.example.com",
    "x.wild.example.com", "exact.wild.example.com", "third.example.com", "nobody.example.com", "127.0.0.1", "[::1]", "third.example.com:80",
]
PATHS = [
    "/", "/a.txt", "/a.txt/", "/a.txt/more", "/sub", "/sub/", "/sub/b.txt", "//sub//b.txt", "/sub/../a.txt", "/%61.txt", "/sub%2fb.txt",
    "/sub%2Fb.txt?q=%2F", "/..", "/../a.txt", "/%2e%2e/a.txt", "/%00", "/a%00.txt", "/%zz", "/none", "/A.TXT", "/old", "/old/x?y=1", "/older",
    "/gone/for/good", "/m/b.txt", "/al", "/al/a.txt", "/alx", "/slash", "/slash/a.txt", "/closed", "/closed/x", "/closedx", "/opened", "/secret.txt",
    "/sub/secret.txt", "/a.txt;x", "/a.txt?", "/?a.txt", "/a%20b.txt", "/./a.txt", "/sub/.", "/sub/..", "/sub\\b.txt", "/a.txt%20",
]
REQUESTS = (
    [("GET", host, path) for host, path in itertools.product(HOSTS, ["/a.txt", "/", "/none", "/old"])]
    + [("GET", host, path) for host, path in itertools.product(["first.example.com", "second.example.com", "third.example.com"], PATHS)]
    + [(method, "first.example.com", path) for method, path in itertools.product(
        ["HEAD", "POST", "OPTIONS", "PUT", "TRACE", "get", "BREW"], ["/a.txt", "/none", "/old", "/closed"])]
)


def verdicts(folder, text):
    """The exit code and the line of the first error: ours and theirs, and what the two said."""
    file = folder / "site.conf"
    file.write_text(text)
    ours = subprocess.run([venvs.BINARY, "-t", "-f", file], capture_output=True, text=True, check=False)
    loads = [f"-CLoadModule {module}_module {apache.MODULES}/mod_{module}.so" for module in MODULES]
    command = [apache.program(), *loads, f"-CErrorLog {folder}/error.log", "-t", "-f", file]
    theirs = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [
        re.search(rf"(?m)^{re.escape(str(file))}:(\d+):\d+: (?!warning|note)", ours.stderr),
        re.search(rf"on line (\d+) of {re.escape(str(file))}", theirs.stderr),
    ]
    found = [(run.returncode, line and int(line[1])) for run, line in zip([ours, theirs], lines)]
    return found, f"{ours.stderr}\n{theirs.stderr}"


@pytest.mark.parametrize("name", WRONG)
def test_the_verdict_and_the_line_of_the_first_error(tmp_path, name):
    text = WRONG[name]
    line = next((number for number, line in enumerate(text.splitlines(), 1) if line.startswith(">")), None)
    found, said = verdicts(tmp_path, re.sub("(?m)^>", "", text))
    assert found == [(int(line is not None), line)] * 2, said


@pytest.mark.parametrize("text", STRICTER)
def test_what_only_alula_complains_about(tmp_path, text):
    found, said = verdicts(tmp_path, text)
    assert found == [(1, 1), (0, None)], said


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    site = apache.site_folder()
    for host in ["first", "second", "third"]:
        (site / host / "sub").mkdir(parents=True)
        for name in ["a.txt", "a b.txt", "secret.txt", "sub/b.txt", "sub/secret.txt"]:
            (site / host / name).write_text(f"{host} {name}\n")
    theirs = apache.Apache(SITE, site)
    prelude = f'DocumentRoot "{site}"\n<Directory "{site}">\nRequire all granted\n</Directory>\n'
    config = (prelude + SITE).replace("@site@", str(site))
    ours = Server(tmp_path_factory.mktemp("ours"), config, python_home=False).start()
    yield ours, theirs
    ours.stop()
    theirs.stop()
    shutil.rmtree(site, ignore_errors=True)


def ask(port, method, host, path):
    with raw.Connection(port) as connection:
        connection.send(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
        response = connection.response(method)
    location = re.sub(rf":{port}\b", "", response.one("Location") or "")
    if location.startswith("/"):
        location = f"http://{host}{location}"
    body = response.body if response.status == 200 else b""
    return response.status, location, response.one("X-Host"), response.one("Content-Type") if response.status == 200 else None, body


def test_several_hundred_requests(both):
    ours, theirs = both
    wrong = []
    for method, host, path in REQUESTS:
        expected, found = ask(theirs.port, method, host, path), ask(ours.port, method, host, path)
        if method == "OPTIONS":
            expected, found = expected[:1], found[:1]
        if expected == found:
            continue
        known = any(
            method == m and re.fullmatch(pattern, path) and (expected[0], found[0]) == (theirs_status, ours_status)
            for m, pattern, theirs_status, ours_status, _ in DIFFERENCES
        )
        if not known:
            wrong.append(f"{method} {host} {path}\n  apache2 {expected}\n  alula   {found}")
    assert len(REQUESTS) > 200
    assert not wrong, "\n" + "\n".join(wrong)


def test_the_guide_tells_every_difference():
    guide = " ".join(GUIDE.read_text(encoding="utf-8").split())
    reasons = [why for *_, why in DIFFERENCES] + [*STRICTER.values(), PATHS_IN_LOCATION]
    missing = [why for why in reasons if why not in guide]
    assert not missing
