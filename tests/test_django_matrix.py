"""A short tour through every pair of Python and Django there is a virtualenv for."""
import re
import shutil

import pytest

from harness import django, venvs

SITE = ("django_forms", "forms_site.settings")
STATIC = 'Alias /static/admin/ "@django@/contrib/admin/static/admin/"\n<Location "/static">\n    SetHandler None\n</Location>'


@pytest.fixture(scope="module", params=venvs.everything(), ids=str)
def site(request, tmp_path_factory):
    """One migrated project per virtualenv; the server itself is started by the test."""
    folder = tmp_path_factory.mktemp("matrix")
    django.manage(request.param, folder, *SITE, "migrate", "--noinput", "--verbosity", "0")
    code = "from django.contrib.auth.models import User; User.objects.create_superuser('admin', 'a@b.example', 'secret')"
    django.manage(request.param, folder, *SITE, "shell", "--command", code)
    return request.param, folder


def token(response):
    return re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', response.text)[1]


def test_the_tour(site, serve):
    venv, folder = site
    server = serve(django.location(*SITE, at="/mysite", root="/mysite") + STATIC, venv=venv, start=False)
    shutil.copy(folder / "db.sqlite3", server.tmp / "db.sqlite3")
    server.start()
    with server.new_client(follow_redirects=True) as client:
        form = client.get("/mysite/")
        assert form.status_code == 200, server.log()
        sent = client.post("/mysite/", data={"name": "Zoë", "csrfmiddlewaretoken": token(form)})
        assert sent.url.path == "/mysite/" and "Thank you, Zoë" in sent.text
        assert [client.get("/mysite/visits/").text for _ in range(2)] == ["1", "2"]
        upload = client.post("/mysite/upload/", files={"file": ("日本.txt", b"x" * 100_000)}).json()
        assert upload["stored"][0]["size"] == 100_000
        login = client.get("/mysite/admin/")
        data = {"username": "admin", "password": "secret", "csrfmiddlewaretoken": token(login)}
        assert "Site administration" in client.post(login.url, data=data).text
        assert client.get("/static/admin/css/base.css").headers["content-type"].startswith("text/css")
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("venv", venvs.everything(), ids=str)
def test_responses(venv, serve):
    server = serve(django.location("django_responses", "responses_site.settings"), venv=venv)
    (server.tmp / "content.bin").write_bytes(b"content" * 10_000)
    assert server.get("/plain/").text == "plain text"
    assert server.get("/file/").content == b"content" * 10_000
    assert server.get("/download/").content == b"content" * 10_000
    assert server.get("/async/").text.startswith("async ")
    assert len(server.get("/cookies/").headers.get_list("set-cookie")) == 3
    assert server.client.head("/file/").headers["content-length"] == "70000"
    assert "Traceback" not in server.log()


def test_there_is_something_to_test():
    assert venvs.everything(), "no virtualenvs: run `cargo xtask venvs`"
