"""The same files by Alula, Debian's nginx and Debian's apache2: the same answers to several hundred requests.

Where they differ on purpose `DIFFERENCES` in files_cases.py says why, and the guide page on files shows that list. A
difference that no request shows any more is a mistake in the list.
"""
import re
import shutil
from pathlib import Path

import pytest

from files_cases import APACHE, NGINX, REQUESTS, make_site
from harness import apache, nginx, raw

GUIDE = Path(__file__).resolve().parent.parent / "docs/guide/files.md"

OURS = """
DocumentRoot "@site@"
PrecompressedFiles On
<Directory "@site@">
    Require all granted
</Directory>
<VirtualHost *:@port@>
    ServerName localhost
</VirtualHost>
<VirtualHost *:@port@>
    ServerName apache2.example
    PrecompressedFiles Off
</VirtualHost>
"""
# httpd has no one line for packed files.
THEIRS = {"nginx": "gzip_static on; gzip_vary on; if_modified_since before; index index.html;", "apache2": "FileETag MTime Size\n"}


@pytest.fixture(scope="module")
def site():
    folder = apache.site_folder()
    make_site(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def ours(serve_module, site):
    return serve_module(OURS.replace("@site@", str(site)))


@pytest.fixture(params=["nginx", "apache2"])
def theirs(request, site):
    start = {"nginx": nginx.Nginx, "apache2": apache.Apache}[request.param]
    server = start(THEIRS[request.param], site)
    yield request.param, server
    server.stop()


class Asker:
    """Asks one server; an entity tag in a request is that server's own."""

    def __init__(self, server, host):
        self.server = server
        self.host = host
        self.tags = {}

    def ask(self, method, path, headers):
        headers = [self.with_tag(path, header) for header in headers]
        with self.server.connect() as connection:
            lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}", "Connection: close", *headers]
            connection.send("\r\n".join(lines).encode() + b"\r\n\r\n")
            return self.shown(connection.response(method), method)

    def with_tag(self, path, header):
        if "{etag}" not in header:
            return header
        if path not in self.tags:
            with self.server.connect() as connection:
                self.tags[path] = connection.get(path, host=self.host).one("ETag") or '"none"'
        return header.replace("{etag}", self.tags[path])

    def shown(self, response, method):
        location = response.one("Location")
        shown = {
            "status": response.status,
            "location": location and re.sub(rf"^http://{self.host}(:\d+)?", "", location),
        }
        if response.status in (200, 206, 304):
            shown |= {
                "range": response.one("Content-Range"),
                "tag": (response.one("ETag") or "")[:2] == "W/" if response.one("ETag") else None,
            }
        if response.status in (200, 206):
            kind = response.one("Content-Type") or ""
            several = kind.startswith("multipart/byteranges")
            shown |= {
                "type": kind.split(";")[0],
                "modified": response.one("Last-Modified"),
                "coding": response.one("Content-Encoding"),
                "ranges": response.one("Accept-Ranges"),
                "length": None if several else response.one("Content-Length"),
                "content": parts(response, kind) if several else response.body,
            }
        if response.status == 416:
            shown["range"] = response.one("Content-Range")
        return shown


def parts(response, kind):
    """The parts of a multipart answer: what each says of itself, and its bytes."""
    boundary = re.search(r"boundary=(\S+)", kind)[1].encode()
    pieces = response.body.split(b"\r\n--" + boundary)
    assert pieces[0] == b"" and pieces[-1].strip() == b"--" and int(response.one("Content-Length")) == len(response.body)
    found = []
    for piece in pieces[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.strip().split(b"\r\n"))
        fields = {name.lower(): value.split(b";")[0] for name, value in fields.items()}
        found.append((fields.get(b"content-type"), fields[b"content-range"], content))
    return found


def explained(differences, request, expected, found):
    """The numbers of the differences that together say why two answers differ; none if they do not."""
    fits = [
        (number, one)
        for number, one in enumerate(differences)
        if all(re.fullmatch(pattern, text) for pattern, text in zip(one[:3], request))
    ]
    if expected["status"] != found["status"]:
        return [number for number, one in fits if one[3:5] == (expected["status"], found["status"])][:1]
    left = {name for name in {*expected, *found} if expected.get(name) != found.get(name)}
    numbers = []
    for number, one in fits:
        names = set(str(one[3]).split()) & left
        if one[4] is None and names:
            numbers.append(number)
            left -= names
    return [] if left else numbers


def test_several_hundred_requests(ours, theirs):
    name, server = theirs
    differences = {"nginx": NGINX, "apache2": APACHE}[name]
    host = "apache2.example" if name == "apache2" else "localhost"
    us, them = Asker(ours, host), Asker(server, host)
    wrong, seen = [], set()
    for method, path, headers in REQUESTS:
        expected, found = them.ask(method, path, headers), us.ask(method, path, headers)
        if expected == found:
            continue
        request = (method, path, "\n".join(headers))
        known = explained(differences, request, expected, found)
        seen.update(known)
        if not known:
            wrong.append(f"{method} {path} {headers}\n  {name} {short(expected)}\n  alula {short(found)}")
    assert len(REQUESTS) > 500
    assert not wrong, f"{len(wrong)} of {len(REQUESTS)}\n" + "\n".join(wrong)
    unseen = [one for number, one in enumerate(differences) if number not in seen]
    assert not unseen, unseen


def short(shown):
    return {key: value if len(repr(value)) < 90 else repr(value)[:90] for key, value in shown.items() if value is not None}


def test_the_guide_tells_every_difference():
    guide = " ".join(GUIDE.read_text(encoding="utf-8").split())
    missing = {why for *_, why in NGINX + APACHE if why not in guide}
    assert not missing
