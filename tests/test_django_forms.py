"""Forms as people use them: CSRF, sessions, messages, the admin and its files, uploads of any name and size."""
import hashlib
import os
import re
import shutil

import pytest

from harness import django

SITE = ("django_forms", "forms_site.settings")
CONFIG = """
Alias /static/admin/ "@django@/contrib/admin/static/admin/"
Alias /media/ "@tmp@/media/"
<Location "/static">
    SetHandler None
</Location>
<Location "/media">
    SetHandler None
</Location>
"""


@pytest.fixture(scope="module")
def database(venv, tmp_path_factory):
    """A migrated database with one superuser."""
    folder = tmp_path_factory.mktemp("database")
    django.manage(venv, folder, *SITE, "migrate", "--noinput", "--verbosity", "0")
    code = "from django.contrib.auth.models import User; User.objects.create_superuser('admin', 'a@b.example', 'secret')"
    django.manage(venv, folder, *SITE, "shell", "--command", code)
    return folder / "db.sqlite3"


@pytest.fixture(scope="module")
def start(serve_module, database):
    def start(**options):
        server = serve_module(django.location(*SITE) + CONFIG, start=False, **options)
        shutil.copy(database, server.tmp / "db.sqlite3")
        return server.start()

    return start


@pytest.fixture(scope="module")
def server(start):
    return start(env={"LANG": "C", "LC_ALL": "C"}, workers=2)


def token(response):
    return re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', response.text)[1]


def test_csrf_lets_the_form_pass(server):
    with server.new_client() as client:
        first = client.get("/")
        response = client.post("/", data={"name": "Zoë", "csrfmiddlewaretoken": token(first)})
        assert response.status_code == 302
        assert response.headers["location"] == "/"
        # The message is shown once.
        assert "Thank you, Zoë" in client.get("/").text
        assert "Thank you" not in client.get("/").text


def test_csrf_stops_a_form_without_its_token(server):
    with server.new_client() as client:
        client.get("/")
        assert client.post("/", data={"name": "x"}).status_code == 403


@pytest.mark.parametrize(("origin", "status"), [("same", 302), ("http://evil.example", 403)])
def test_csrf_compares_the_origin(server, origin, status):
    with server.new_client() as client:
        sent = server.url if origin == "same" else origin
        data = {"name": "x", "csrfmiddlewaretoken": token(client.get("/"))}
        assert client.post("/", data=data, headers={"Origin": sent}).status_code == status


def test_sessions(server):
    with server.new_client() as one, server.new_client() as two:
        assert [one.get("/visits/").text for _ in range(3)] == ["1", "2", "3"]
        assert two.get("/visits/").text == "1"
        assert one.get("/visits/").text == "4"


def test_the_admin(server):
    with server.new_client(follow_redirects=True) as client:
        login = client.get("/admin/")
        assert login.url.path == "/admin/login/"
        data = {"username": "admin", "password": "wrong", "csrfmiddlewaretoken": token(login)}
        assert "correct username and password" in client.post(login.url, data=data).text
        inside = client.post(login.url, data={**data, "password": "secret"})
        assert inside.status_code == 200 and "Site administration" in inside.text
        assert "Select user to change" in client.get("/admin/auth/user/").text
        added = client.get("/admin/auth/group/add/")
        data = {"name": "Gruppe ß", "csrfmiddlewaretoken": token(added), "_save": "Save"}
        assert "Gruppe ß" in client.post("/admin/auth/group/add/", data=data).text


def test_the_admins_files(server):
    page = server.get("/admin/login/").text
    styles = re.findall(r'href="(/static/admin/[^"]+\.css)"', page)
    assert styles
    for style in styles:
        response = server.get(style)
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("name", ["plain.txt", "naïve.txt", "日本語.txt", "Ελληνικά κείμενο.txt", "emoji 🎈.txt"])
def test_upload_names_under_lang_c(server, name):
    content = name.encode()
    stored = server.post("/upload/", files={"file": (name, content)}).json()["stored"]
    saved = stored[0]["name"]
    assert saved in {name, name.replace(" ", "_")} | {name.replace(" ", "_").replace("🎈", "")}
    assert saved in os.listdir(server.tmp / "media")
    assert server.get(f"/media/{saved}").content == content


def test_several_files_in_one_form(server):
    files = [("file", (f"several-{number}.bin", bytes([number]) * number)) for number in range(1, 20)]
    stored = server.post("/upload/", files=files).json()["stored"]
    assert [file["size"] for file in stored] == list(range(1, 20))


def test_a_50_mb_upload_and_its_download(server, tmp_path):
    path = tmp_path / "large.bin"
    block = os.urandom(1 << 20)
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for number in range(50):
            piece = bytes([number]) + block[1:]
            digest.update(piece)
            file.write(piece)
    with path.open("rb") as file:
        stored = server.post("/upload/", files={"file": ("large.bin", file)}).json()["stored"][0]
    assert stored["size"] == 50 << 20
    assert stored["sha256"] == digest.hexdigest()
    assert stored["kind"] == "TemporaryUploadedFile"
    received = hashlib.sha256()
    with server.client.stream("GET", f"/media/{stored['name']}") as response:
        for piece in response.iter_raw():
            received.update(piece)
    assert received.hexdigest() == digest.hexdigest()


def test_an_upload_that_breaks_off(server):
    before = server.log().count("Traceback")
    connection = server.connect()
    connection.send("POST /upload/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
                    "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n")
    connection.close()
    assert server.get("/visits/").status_code == 200
    assert server.log().count("Traceback") == before


def test_database_connections_are_closed_after_each_request(start):
    server = start()
    counts = [int(server.get("/connections/").text) for _ in range(3)]
    # CONN_MAX_AGE is 0: each request opens its own, so close_old_connections ran in between.
    assert counts == [counts[0], counts[0] + 1, counts[0] + 2]
