"""Who may pass: Require and its sections, methods, and Order/Allow/Deny of httpd 2.2."""
import pytest

CONFIG = """
DocumentRoot "@tmp@/www"
<Location /all>
    <RequireAll>
        Require local
        Require not method POST
    </RequireAll>
</Location>
<Location /refused>
    <RequireAll>
        Require all granted
        Require not ip 127.0.0.1
    </RequireAll>
</Location>
<Location /read>
    <LimitExcept GET>
        Require all denied
    </LimitExcept>
</Location>
<Location /outer>
    Require all denied
</Location>
<Location /outer/and>
    AuthMerging And
    Require all granted
</Location>
<Location /outer/or>
    AuthMerging Or
    Require all granted
</Location>
<Location /old>
    Order deny,allow
    Deny from env=!never_set
</Location>
"""
NAMES = ("all", "refused", "read", "outer/and", "outer/or", "old")


@pytest.fixture(scope="module")
def server(serve_module):
    server = serve_module(CONFIG, start=False)
    for name in NAMES:
        path = server.tmp / "www" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return server.start()


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/all", 200),
        ("POST", "/all", 403),
        ("GET", "/refused", 403),
        ("GET", "/read", 200),
        ("HEAD", "/read", 200),
        ("PUT", "/read", 403),
        ("GET", "/outer/and", 403),
        ("GET", "/outer/or", 200),
        ("GET", "/old", 403),
    ],
)
def test_status(server, method, path, expected):
    assert server.client.request(method, path).status_code == expected
