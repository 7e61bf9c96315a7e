"""Scripts that say who may pass (`WSGIAuthUserScript` and its kin), and files that are WSGI scripts themselves."""
import shutil

import pytest

from harness import waiting

# "pw"
SHA = "{SHA}GpHWL3ymc5liWkNopqtdSjuqYHM="

CONFIG = """
WSGIScriptAlias /app "@apps@/gates/gates.wsgi"
DocumentRoot "@tmp@/www"
AddHandler wsgi-script .wsgi
<Location />
    AuthType Basic
    AuthName "members"
    AuthBasicProvider wsgi
    AuthUserFile "@tmp@/users"
    WSGIAuthUserScript "@apps@/gates/gates.wsgi"
    WSGIAuthGroupScript "@apps@/gates/gates.wsgi"
    Require all granted
</Location>
<Location /app>
    Require valid-user
</Location>
<Location /app/staff>
    Require group staff
</Location>
<Location /app/umlaut>
    Require wsgi-group "mitglieder-ä"
</Location>
<Location /both>
    AuthBasicProvider file wsgi
    Require valid-user
</Location>
<Location /access>
    WSGIAccessScript "@apps@/gates/gates.wsgi"
</Location>
<Location /access/closed>
    Require valid-user
</Location>
<Location /access/any>
    Require valid-user
    Order deny,allow
    Deny from env=never
    Satisfy Any
</Location>
<Location /missing>
    WSGIAccessScript "@apps@/hello/app.py"
</Location>
<Directory "@tmp@/www/scripts">
    Options +ExecCGI
</Directory>
<Directory "@tmp@/www/all">
    Options +ExecCGI
    SetHandler wsgi-script
</Directory>
"""


@pytest.fixture(scope="module")
def server(serve_module):
    server = serve_module(CONFIG, start=False)
    www = server.tmp / "www"
    for name in ("scripts", "all/deep", "off", "access/closed", "access/any"):
        (www / name).mkdir(parents=True)
    for name in ("scripts/a.wsgi", "all/script", "all/deep/b.py", "off/a.wsgi"):
        shutil.copy(server.fill("@apps@/gates/gates.wsgi"), www / name)
    for name in ("both", "access/open", "access/closed/x", "access/any/x", "missing", "scripts/plain.txt"):
        (www / name).write_text("file")
    (server.tmp / "users").write_text(f"cid:{SHA}\nann:{SHA[:-4]}xxx=\n")
    return server.start()


@pytest.mark.parametrize(
    ("path", "user", "password", "expected"),
    [
        ("/app", None, None, 401),
        ("/app", "ann", "pw", 200),
        ("/app", "ann", "wrong", 401),
        ("/app", "nobody", "pw", 401),
        ("/app", "ünı", "pw", 200),
        ("/app/never", "ann", "pw", 401),
        ("/app/staff", "ann", "pw", 200),
        ("/app/staff", "bob", "pw", 401),
        ("/app/umlaut", "ann", "pw", 200),
        ("/app/umlaut", "bob", "pw", 401),
        # The file knows her with another password; him it does not know, and the script is asked.
        ("/both", "cid", "pw", 200),
        ("/both", "ann", "pw", 401),
        ("/both", "bob", "pw", 200),
        ("/both", "nobody", "pw", 401),
    ],
)
def test_who_passes(server, path, user, password, expected):
    auth = (user, password) if user else None
    assert server.get(path, auth=auth).status_code == expected


def test_a_script_may_give_the_user_another_name(server):
    assert server.get("/app", auth=("alias", "pw")).json()["REMOTE_USER"] == "ann"
    assert server.get("/app/staff", auth=("alias", "pw")).status_code == 200
    assert server.get("/app", auth=("alias", "wrong")).status_code == 401


def test_one_script_is_loaded_once(server):
    assert server.get("/app", auth=("ann", "pw")).json()["loads"] == 1


def test_a_script_that_fails_lets_nobody_in(server):
    response = server.get("/app", auth=("broken", "pw"))
    assert response.status_code == 500
    assert "database" not in response.text
    server.wait_for_log("RuntimeError: the database of users is away")
    assert server.get("/missing").status_code == 500
    server.wait_for_log("has no 'allow_access'")


@pytest.mark.parametrize(
    ("path", "allow", "user", "expected"),
    [
        ("/access/open", "yes", None, 200),
        ("/access/open", None, None, 200),
        ("/access/open", "no", None, 403),
        ("/access/closed/x", "yes", None, 401),
        ("/access/closed/x", "yes", "ann", 200),
        ("/access/closed/x", "no", "ann", 403),
        ("/access/any/x", "yes", None, 200),
        ("/access/any/x", "no", None, 401),
        ("/access/any/x", "no", "ann", 200),
    ],
)
def test_clients_that_a_script_allows(server, path, allow, user, expected):
    headers = {"X-Allow": allow} if allow else {}
    auth = (user, "pw") if user else None
    assert server.get(path, headers=headers, auth=auth).status_code == expected


@pytest.mark.parametrize(
    ("path", "script_name", "path_info"),
    [
        ("/scripts/a.wsgi", "/scripts/a.wsgi", ""),
        ("/scripts/a.wsgi/x/y?z", "/scripts/a.wsgi", "/x/y"),
        ("/all/script/x", "/all/script", "/x"),
        ("/all/deep/b.py", "/all/deep/b.py", ""),
    ],
)
def test_a_file_is_a_script(server, path, script_name, path_info):
    seen = server.client.post(path, content=b"sent").json()
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"], seen["content"]) == (script_name, path_info, "sent")
    assert seen["SCRIPT_FILENAME"].startswith(str(server.tmp / "www"))


def test_files_that_are_no_scripts(server):
    assert server.get("/scripts/plain.txt").text == "file"
    assert server.get("/all/none").status_code == 404
    assert server.get("/off/a.wsgi").status_code == 403
    server.wait_for_log(r"Options ExecCGI is off here: .*/off/a\.wsgi")


def test_scripts_run_in_the_interpreter_of_their_place(serve):
    """With two interpreters everything is behind fronts; each script runs where it belongs."""
    server = serve(
        """
        WSGIScriptAlias /one "@apps@/environ/app.py" process-group=one
        WSGIScriptAlias /two "@apps@/gates/gates.wsgi" process-group=two
        WSGIDaemonProcess one processes=1
        WSGIDaemonProcess two processes=1
        <Location /two>
            WSGIProcessGroup two
            AuthType Basic
            AuthName x
            AuthBasicProvider wsgi
            WSGIAuthUserScript "@apps@/gates/gates.wsgi"
            WSGIAccessScript "@apps@/gates/gates.wsgi"
            Require valid-user
        </Location>
        """
    )
    assert server.get("/two").status_code == 401
    assert server.get("/two", auth=("bob", "pw")).json()["loads"] == 1
    assert server.get("/two", auth=("bob", "pw"), headers={"X-Allow": "no"}).status_code == 403
    assert server.get("/one").status_code == 200


def test_a_htaccess_file_may_name_a_script(serve):
    server = serve(
        """
        WSGIScriptAlias /app "@apps@/hello/app.py"
        DocumentRoot "@tmp@/www"
        <Directory "@tmp@/www">
            AllowOverride All
        </Directory>
        """,
        start=False,
    )
    www = server.tmp / "www"
    www.mkdir()
    (www / "x").write_text("file")
    lines = """
        AuthType Basic
        AuthName x
        AuthBasicProvider wsgi
        WSGIAuthUserScript "@apps@/gates/gates.wsgi"
        Require valid-user
        <If "%{QUERY_STRING} == 'open'">
            Require all granted
        </If>
    """
    (www / ".htaccess").write_text(server.fill(lines))
    server.start()
    assert server.get("/x").status_code == 401
    assert server.get("/x", auth=("ann", "pw")).text == "file"
    assert server.get("/x", auth=("ann", "no")).status_code == 401
    assert server.get("/x?open").text == "file"
    (www / ".htaccess").write_text("<If \"%{QUERY_STRING} == 'a'\">\nHeader set X a\n</If>\n<Else>\nHeader set X b\n</Else>\n")
    waiting.until(lambda: "x" in server.get("/x?a").headers, "the change to be seen")
    assert [server.get(f"/x?{query}").headers["x"] for query in "ab"] == ["a", "b"]
