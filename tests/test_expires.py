"""ExpiresActive and its kin: how long a response may be kept."""
import os
import time
from email.utils import parsedate_to_datetime

import pytest

CONFIG = """
DocumentRoot "@tmp@/root"
ExpiresActive On
ExpiresDefault "access plus 1 hour"
ExpiresByType text/css "access plus 1 month"
ExpiresByType image/png "modification plus 1 day"
<Location "/off">
    ExpiresActive Off
</Location>
WSGIScriptAlias /app "@apps@/response/app.py"
WSGIScriptAlias /off "@apps@/response/app.py"
"""


@pytest.fixture(scope="module")
def server(serve_module):
    server = serve_module(CONFIG, start=False)
    (server.tmp / "root").mkdir()
    for name in ("a.txt", "a.css", "a.png"):
        (server.tmp / "root" / name).write_text(name)
    written = time.time() - 3600
    os.utime(server.tmp / "root/a.png", (written, written))
    return server.start()


@pytest.mark.parametrize(("path", "seconds"), [("/a.txt", 3600), ("/a.css", 30 * 86400), ("/app/length", 3600)])
def test_from_the_request(server, path, seconds):
    headers = server.get(path).headers
    assert headers["cache-control"] == f"max-age={seconds}"
    assert abs(parsedate_to_datetime(headers["expires"]).timestamp() - time.time() - seconds) < 30


def test_from_the_last_change(server):
    headers = server.get("/a.png").headers
    assert abs(int(headers["cache-control"].removeprefix("max-age=")) - 23 * 3600) < 30


@pytest.mark.parametrize("path", ["/off/length", "/missing", "/app/never"])
def test_where_there_is_none(server, path):
    headers = server.get(path).headers
    assert "expires" not in headers
    assert "cache-control" not in headers
