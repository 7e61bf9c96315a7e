"""Basic authentication: who is asked, who passes, and what an application and the log see of it."""
import threading
import time

import pytest

from harness import waiting

# "password": bcrypt, apr1 (what htpasswd writes unless told otherwise), bcrypt of tens of milliseconds, SHA-1.
BCRYPT = "$2y$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu"
APR1 = "$apr1$saltsalt$yAAkm4libquA.ZWLHbSBq/"
SLOW = "$2y$10$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK"
SHA = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="

CONFIG = """
WSGIScriptAlias /app "@apps@/environ/app.py"
DocumentRoot "@tmp@/www"
<Location />
    AuthName "members only"
    AuthBasicProvider file
    AuthUserFile "users"
    AuthGroupFile "groups"
</Location>
<Location /app>
    AuthType Basic
    Require valid-user
</Location>
<Location /ann>
    AuthType Basic
    Require user ann
</Location>
<Location /staff>
    AuthType Basic
    Require group staff
    AuthzSendForbiddenOnFailure On
</Location>
<Location /local>
    AuthType Basic
    Require valid-user
    Order deny,allow
    Deny from all
    Allow from 127.0.0.1
    Satisfy Any
</Location>
<Location /read>
    AuthType Basic
    <LimitExcept GET>
        Require valid-user
    </LimitExcept>
</Location>
<Location /undecided>
    Require valid-user
</Location>
"""


@pytest.fixture(scope="module")
def server(serve_module):
    server = serve_module(CONFIG, start=False)
    (server.tmp / "users").write_text(f"ann:{BCRYPT}\nbob:{APR1}\ncid:{SHA}\nslow:{SLOW}\nplain:password\n")
    (server.tmp / "groups").write_text("staff: ann cid\n")
    (server.tmp / "www").mkdir()
    for name in ("ann", "staff", "local", "read", "undecided"):
        (server.tmp / "www" / name).write_text(name)
    return server.start()


def test_a_client_is_asked_for_a_password(server):
    response = server.get("/app")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Basic realm="members only"'


@pytest.mark.parametrize("user", ["ann", "bob", "cid"])
def test_the_right_password_passes_and_the_application_knows_the_user(server, user):
    for _ in range(2):
        response = server.get("/app", auth=(user, "password"))
        assert response.status_code == 200
        assert response.json()["REMOTE_USER"] == user
        assert response.json()["AUTH_TYPE"] == "Basic"


@pytest.mark.parametrize(
    ("path", "user", "password", "expected"),
    [
        ("/app", "ann", "wrong", 401),
        ("/app", "nobody", "password", 401),
        ("/app", "plain", "password", 401),
        ("/ann", "ann", "password", 200),
        ("/ann", "bob", "password", 401),
        ("/staff", "cid", "password", 200),
        ("/staff", "bob", "password", 403),
        ("/staff", "bob", "wrong", 401),
        ("/undecided", "ann", "password", 500),
    ],
)
def test_status(server, path, user, password, expected):
    assert server.get(path, auth=(user, password)).status_code == expected


def test_satisfy_any_asks_no_password_of_an_address_that_is_allowed(server):
    assert server.get("/local").status_code == 200


def test_only_limited_methods_ask(server):
    assert server.get("/read").status_code == 200
    assert server.client.request("PUT", "/read").status_code == 401


def test_the_user_is_in_the_access_log(server):
    server.get("/ann?logged", auth=("ann", "password"))
    waiting.until(lambda: " ann [" in line(server, "/ann?logged"), "the line in the access log")


def line(server, target):
    lines = server.access_log.read_text().splitlines() if server.access_log.exists() else []
    return next((line for line in lines if target in line), "")


def test_a_changed_file_counts_at_once(serve):
    server = serve(CONFIG, start=False)
    users = server.tmp / "users"
    (server.tmp / "www").mkdir()
    (server.tmp / "groups").write_text("")
    users.write_text(f"ann:{SHA}\n")
    server.start()
    assert server.get("/app", auth=("ann", "password")).status_code == 200
    users.write_text("# nobody\n")
    assert server.get("/app", auth=("ann", "password")).status_code == 401


def test_checking_passwords_does_not_hold_up_others(server):
    """Wrong passwords are checked with bcrypt each time; a file is served meanwhile."""
    stop = threading.Event()

    def guess():
        with server.new_client() as client:
            while not stop.is_set():
                client.get("/app", auth=("slow", "wrong"))

    guessing = [threading.Thread(target=guess) for _ in range(4)]
    for thread in guessing:
        thread.start()
    try:
        began = time.monotonic()
        for _ in range(50):
            assert server.get("/read").status_code == 200
        assert time.monotonic() - began < 5
    finally:
        stop.set()
        for thread in guessing:
            thread.join()
