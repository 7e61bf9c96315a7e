"""Paths: no spelling of a URL leads out of the document roots, and AllowEncodedSlashes means what it says."""
import random

import pytest

SEED = 20261125
REQUESTS = 1500
PIECES = [
    "a", "b.txt", "sub", "..", ".", "", "%2e%2e", "%2E.", ".%2e", "%2f", "%2F", "%5c", "\\", "..%2f", "%2e%2e%2f", "..%5c", "%252e%252e",
    "%00", "secret.txt", "..;", ".;x", "%c0%ae%c0%ae", "%e2%80%ae", "A", "B.TXT", "b.txt%20", "b.txt.", "%62.txt", "..%00", "?", "static",
    "link", "outside", "x" * 300,
]


@pytest.fixture(scope="module", params=["Off", "On", "NoDecode"])
def server(serve_module, tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("paths")
    for place in ["root/a", "root/sub/a", "files"]:
        (folder / place).mkdir(parents=True)
        (folder / place / "b.txt").write_text("public")
    for place in ["", "root/../"]:
        (folder / place / "secret.txt").write_text("SECRET")
    (folder / "outside").mkdir(exist_ok=True)
    (folder / "outside/b.txt").write_text("SECRET")
    (folder / "root/link").symlink_to(folder / "outside")
    return serve_module(
        f"""
        AllowEncodedSlashes {request.param}
        DocumentRoot "{folder}/root"
        Alias /static "{folder}/files"
        Alias /slash/ "{folder}/files/"
        <Directory "{folder}">
            Options None
            Require all granted
        </Directory>
        """,
        python_home=False,
        workers=1,
    )


def test_no_path_leads_out_of_the_document_roots(server):
    dice = random.Random(SEED)
    seen = set()
    connection = server.connect()
    for _ in range(REQUESTS):
        start = dice.choice(["/", "/static/", "/static", "/slash/", "//", "/a/", "http://localhost/", "/sub/../", ""])
        target = start + dice.choice(["/", "//", "%2f"]).join(dice.choice(PIECES) for _ in range(dice.randrange(6)))
        try:
            response = connection.get(target or "/")
        except (EOFError, ConnectionError):
            connection.close()
            connection = server.connect()
            response = connection.get(target or "/")
        assert b"SECRET" not in response.body, target
        assert response.status in {200, 301, 400, 403, 404}, (target, response.status)
        if response.status == 200:
            assert response.body == b"public", target
        seen.add(response.status)
        if response.one("Connection") == "close":
            connection.close()
            connection = server.connect()
    connection.close()
    assert {200, 400, 403, 404} <= seen


def test_encoded_slashes(server):
    setting = server.config.read_text().split("AllowEncodedSlashes ")[1].split()[0]
    expected = {"Off": 404, "On": 200, "NoDecode": 404}[setting]
    with server.connect() as connection:
        assert connection.get("/sub%2fa/b.txt").status == expected
        assert connection.get("/sub/a/b.txt").status == 200
