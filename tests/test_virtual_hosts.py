"""Virtual hosts by name: which one answers which Host header."""
import pytest

CONFIG = """
NameVirtualHost *
<VirtualHost *:@port@>
    ServerName first.example
    DocumentRoot "@tmp@/first"
    WSGIScriptAlias /app "@apps@/environ/app.py"
    SetEnv WHICH first
    PythonInterpreter shared
</VirtualHost>
<VirtualHost *:@port@>
    ServerName second.example
    ServerAlias www.second.example *.wild.example
    DocumentRoot "@tmp@/second"
    WSGIScriptAlias /app "@apps@/environ/app.py"
    SetEnv WHICH second
    PythonInterpreter shared
</VirtualHost>
<VirtualHost *:@port@>
    ServerName exact.wild.example
    DocumentRoot "@tmp@/third"
    PythonInterpreter shared
</VirtualHost>
"""


@pytest.fixture(scope="module")
def server(serve_module):
    server = serve_module(CONFIG, start=False)
    for name in ("first", "second", "third"):
        (server.tmp / name).mkdir()
        (server.tmp / name / "name.txt").write_text(name)
    return server.start()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("first.example", "first"),
        ("second.example", "second"),
        ("SECOND.example", "second"),
        ("second.example.", "second"),
        ("second.example:8080", "second"),
        ("www.second.example", "second"),
        ("a.wild.example", "second"),
        ("a.b.wild.example", "second"),
        # The first host in the file that fits wins, so an earlier wildcard beats a later exact name.
        ("exact.wild.example", "second"),
        ("unknown.example", "first"),
        ("127.0.0.1", "first"),
    ],
)
def test_by_name(server, host, expected):
    assert server.get("/name.txt", headers={"Host": host}).text == expected


def test_no_host_at_all_is_the_first(server):
    with server.connect() as connection:
        connection.send("GET /name.txt HTTP/1.0\r\n\r\n")
        assert connection.read_to_end().endswith(b"\r\n\r\nfirst")


def test_the_host_may_change_within_a_connection(server):
    with server.connect() as connection:
        for name in ("first", "second", "first"):
            assert connection.get("/name.txt", host=f"{name}.example").body == name.encode()


@pytest.mark.parametrize("which", ["first", "second"])
def test_an_application_knows_its_host(server, which):
    seen = server.get("/app", headers={"Host": f"{which}.example"}).json()
    assert seen["WHICH"] == which
    assert seen["SERVER_NAME"] == f"{which}.example"
    # Without a port in Host httpd takes the scheme's (UseCanonicalPhysicalPort Off).
    assert seen["SERVER_PORT"] == "80"
    assert seen["HTTP_HOST"] == f"{which}.example"


def test_an_alias_is_not_shared_between_hosts(server):
    assert server.get("/app", headers={"Host": "exact.wild.example."}).status_code == 200
    assert server.get("/missing", headers={"Host": "first.example"}).status_code == 404


def test_a_virtual_host_does_not_serve_what_the_main_server_locks_away(serve):
    server = serve(
        """
        <VirtualHost *:@port@>
            ServerName only.example
            DocumentRoot "@tmp@/open"
            <Directory "@tmp@/open/locked">
                Require all denied
            </Directory>
            <Location "/also-locked">
                Require all denied
            </Location>
        </VirtualHost>
        """,
        start=False,
        python_home=False,
    )
    for folder in ("locked", "also-locked"):
        (server.tmp / "open" / folder).mkdir(parents=True)
        (server.tmp / "open" / folder / "file.txt").write_text("hidden")
    (server.tmp / "open/file.txt").write_text("open")
    server.start()
    assert server.get("/file.txt").text == "open"
    assert server.get("/locked/file.txt").status_code == 403
    assert server.get("/also-locked/file.txt").status_code == 403
