"""`PythonStatic On`: a Django project's static and media files, as its settings have them, without Python."""
import json
import re
import subprocess

import pytest

from harness import django, venvs, waiting

APP = ("django_static", "static_site.settings")
FOR_EVER = "public, max-age=31536000, immutable"
# The newest Python of each Django.
DJANGOS = list({venv.django: venv for venv in venvs.everything()}.values())


def site(serve, *, at="/", root=None, extra="", after="", venv=None, collect=True, start=True, **environment):
    """A server of the project, its files collected; `environment` is the project's, in lower case without TEST_."""
    variables = {f"TEST_{name.upper()}": value for name, value in environment.items()}
    lines = "".join(f'SetEnv {name} "{value}"\n' for name, value in variables.items())
    config = lines + django.location(*APP, at=at, root=root, extra=f"PythonStatic On\n{extra}") + after
    server = serve(config, start=False, venv=venv)
    if collect:
        words = ("collectstatic", "--noinput", "-v0")
        django.manage(server.venv, server.tmp, *APP, *words, variables=variables)
    uploads = server.tmp / "uploads"
    uploads.mkdir(exist_ok=True)
    (uploads / "photo.txt").write_text("a photo")
    return server.start() if start else server


def hashed(server, name):
    return json.loads((server.tmp / "collected/staticfiles.json").read_text())["paths"][name]


def by_python(response):
    return "django" in response.text


@pytest.mark.parametrize("venv", DJANGOS, ids=str)
def test_static_media_and_the_admins_files(serve, venv):
    server = site(serve, venv=venv)
    url = server.get("/urls").json()["static"]
    assert url == "/static/" + hashed(server, "shop/shop.css")
    answer = server.get(url)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, FOR_EVER)
    assert answer.headers["content-type"].startswith("text/css") and "etag" in answer.headers
    # What it refers to has a hash as well.
    svg = re.search(r'url\("(.*?)"\)', answer.text)[1]
    assert server.get("/static/shop/" + svg).headers["cache-control"] == FOR_EVER

    plain = server.get("/static/shop/shop.css")
    assert (plain.status_code, plain.headers["cache-control"]) == (200, "no-cache")
    again = server.get("/static/shop/shop.css", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.headers["cache-control"]) == (304, "no-cache")
    part = server.get(url, headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.text, part.headers["cache-control"]) == (206, "body", FOR_EVER)

    page = server.get("/admin/login/").text
    sheets = re.findall(r'href="(/static/admin/[^"]+\.css)"', page)
    assert sheets
    for sheet in sheets:
        assert server.get(sheet).headers["cache-control"] == FOR_EVER

    media = server.get("/media/photo.txt")
    assert (media.text, media.headers["cache-control"]) == ("a photo", "no-cache")
    missing = server.get("/static/none.css")
    assert missing.status_code == 404 and not by_python(missing) and "cache-control" not in missing.headers
    assert server.post("/static/shop/shop.css").status_code == 405
    for path in ("/", "/static", "/statics/a", "/mediax", "/media"):
        assert server.get(path).json() == {"django": path}


@pytest.mark.parametrize("venv", DJANGOS, ids=str)
def test_without_a_manifest_nothing_is_for_ever(serve, venv):
    server = site(serve, venv=venv, storage="StaticFilesStorage")
    assert server.get("/urls").json()["static"] == "/static/shop/shop.css"
    answer = server.get("/static/shop/shop.css")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")


@pytest.mark.parametrize("venv", DJANGOS, ids=str)
def test_debug_finds_what_was_not_collected(serve, venv):
    server = site(serve, venv=venv, collect=False, debug="1", storage="StaticFilesStorage")
    for path, start in (
        ("/static/shop/shop.css", "body"),
        ("/static/own.css", "p {"),
        ("/static/admin/css/base.css", "/*"),
        ("/media/photo.txt", "a photo"),
    ):
        answer = server.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache"), path
        assert answer.text.startswith(start)
    # The file engine sends it.
    etag = server.get("/static/own.css").headers["etag"]
    assert server.get("/static/own.css", headers={"If-None-Match": etag}).status_code == 304
    assert server.get("/static/own.css", headers={"Range": "bytes=0-0"}).text == "p"
    assert server.client.head("/static/own.css").headers["content-length"] == "18"
    # What no finder has is Django's to answer, and so is what is no question for a file.
    assert by_python(server.get("/static/none.css")) and by_python(server.get("/static/admin/"))
    assert by_python(server.post("/static/own.css"))
    assert by_python(server.get("/static/../../settings.py"))
    assert by_python(server.get("/static/%2e%2e/settings.py"))


def test_in_debug_a_new_file_is_there_at_once(serve):
    server = site(serve, collect=False, debug="1", storage="StaticFilesStorage")
    assert by_python(server.get("/static/extra/new.css"))
    (server.tmp / "extra").mkdir()
    (server.tmp / "extra/new.css").write_text("new")
    assert server.get("/static/extra/new.css").text == "new"


@pytest.mark.parametrize("static", ["static/", "/static/"])
def test_below_django_root(serve, static):
    server = site(serve, at="/shop", root="/shop", static_url=static, media_url="media/")
    urls = server.get("/shop/urls").json()
    base = "/shop/static/" if static == "static/" else "/static/"
    # Django hears of its root before it remembers anything.
    assert urls["static"] == base + hashed(server, "shop/shop.css")
    assert urls["media"] == urls["media_at_import"] == "/shop/media/"
    assert server.get("/shop/media/photo.txt").text == "a photo"
    answer = server.get(urls["static"])
    if static == "static/":
        assert answer.headers["cache-control"] == FOR_EVER
        assert by_python(server.get("/shop/urls/static/own.css"))
    else:
        # Outside the location nothing is Django's.
        assert answer.status_code == 404


def test_debug_below_django_root(serve):
    options = {"static_url": "static/", "debug": "1", "storage": "StaticFilesStorage"}
    server = site(serve, at="/shop", root="/shop", collect=False, **options)
    assert server.get("/shop/static/own.css").text.startswith("p {")
    assert by_python(server.get("/shop/own.css"))


@pytest.mark.parametrize("url", ["https://cdn.example.com/assets/", "//cdn.example.com/assets/"])
def test_a_cdn_fetches_from_the_same_path(serve, url):
    server = site(serve, static_url=url)
    assert server.get("/urls").json()["static"].startswith(url)
    name = hashed(server, "shop/shop.css")
    assert server.get("/assets/" + name).headers["cache-control"] == FOR_EVER


def test_a_cdn_at_the_root_of_its_host_takes_nothing_from_django(serve):
    server = site(serve, static_url="https://static.example.com/")
    assert by_python(server.get("/shop/shop.css")) and by_python(server.get("/"))


def test_who_may_not_see_the_project_may_not_see_its_files(serve):
    server = site(serve, extra="Require ip 192.0.2.1")
    for path in ("/", "/static/shop/shop.css", "/media/photo.txt"):
        assert server.get(path).status_code == 403


def test_sections_of_the_folder_and_the_location_count(serve):
    after = """
<Directory "@tmp@/uploads">
    Header set X-Folder uploads
</Directory>
<Files "*.css">
    Require all denied
</Files>
<Location "/media/private">
    PythonStatic Off
</Location>
<Location "/static/shop">
    Header set Cache-Control "max-age=60"
</Location>
"""
    server = site(serve, after=after)
    (server.tmp / "uploads/private").mkdir()
    (server.tmp / "uploads/private/a.txt").write_text("a")
    assert server.get("/media/photo.txt").headers["x-folder"] == "uploads"
    assert server.get("/static/shop/shop.css").status_code == 403
    assert by_python(server.get("/media/private/a.txt"))
    assert server.get("/static/shop/shop.svg").headers["cache-control"] == "max-age=60"


def test_an_alias_goes_before(serve):
    server = site(serve, after='Alias "/static/" "@tmp@/other/"\n', start=False)
    (server.tmp / "other").mkdir()
    (server.tmp / "other/x.css").write_text("other")
    server.start()
    answer = server.get("/static/x.css")
    assert answer.text == "other" and "cache-control" not in answer.headers
    assert server.get("/static/shop/shop.css").status_code == 404
    assert server.get("/media/photo.txt").text == "a photo"


def test_a_reload_picks_up_changed_settings(serve):
    server = site(serve)
    assert server.get("/static/shop/shop.css").status_code == 200
    text = server.config.read_text(encoding="utf-8")
    server.config.write_text('SetEnv TEST_STATIC_URL "/assets/"\n' + text, encoding="utf-8")
    subprocess.run([venvs.BINARY, "reload", "-f", server.config], check=True, capture_output=True, timeout=30)
    server.wait_for_log("generation 2")
    # The connection that is open may get a last answer from the old worker.
    with server.new_client() as client:
        assert client.get("/assets/shop/shop.css").status_code == 200
        assert by_python(client.get("/static/shop/shop.css"))


@pytest.mark.parametrize("isolation", ["Off", "On"])
def test_an_edited_setting_counts(serve, tmp_path, isolation):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "photo.txt").write_text(name)
    settings = tmp_path / "moved.py"
    text = "from static_site.settings import *\nMEDIA_ROOT = '{}'\n"
    settings.write_text(text.format(tmp_path / "first"))
    server = serve(f"""
PythonIsolation {isolation}
<Location "/">
    SetHandler python-program
    PythonHandler django.core.handlers.modpython
    SetEnv DJANGO_SETTINGS_MODULE moved
    PythonPath "['@tmp@', '@apps@/django_static'] + sys.path"
    PythonStatic On
    PythonAutoReload On
</Location>
""")
    # Often enough for what remembers popular URLs.
    for _ in range(4):
        assert server.get("/media/photo.txt").text == "first"
    settings.write_text(text.format(tmp_path / "second"))
    waiting.until(lambda: server.get("/media/photo.txt").text == "second", "the file in the other folder")


def test_a_wsgi_script_of_django(serve):
    script = venvs.ROOT / "tests/apps/django_static/static_site/wsgi.py"
    config = f"""
SetEnv TEST_FOLDER "@tmp@"
SetEnv TEST_STORAGE StaticFilesStorage
PythonPath "['@apps@/django_static'] + sys.path"
WSGIScriptAlias / "{script}"
PythonStatic On
"""
    for debug in ("0", "1"):
        server = serve(f"SetEnv TEST_DEBUG {debug}\n{config}", start=False)
        django.manage(server.venv, server.tmp, *APP, "collectstatic", "--noinput", "-v0")
        server.start()
        answer = server.get("/static/shop/shop.css")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
        assert by_python(server.get("/static"))


def test_a_worker_that_imports_by_itself_asks_its_own_django(serve):
    server = site(serve, after="MaxRequestsPerChild 1\n")
    name = hashed(server, "shop/shop.css")
    assert server.get("/static/" + name).headers["cache-control"] == FOR_EVER
    assert server.get("/media/photo.txt").headers["cache-control"] == "no-cache"
    assert by_python(server.get("/static/none"))


def test_off_is_the_default(serve):
    server = serve(django.location(*APP) + 'SetEnv TEST_STORAGE "StaticFilesStorage"\n')
    assert by_python(server.get("/static/own.css"))


def test_what_is_missing_is_said(serve):
    server = site(serve, collect=False, storage="StaticFilesStorage")
    server.wait_for_log("run manage.py collectstatic")
    assert server.get("/static/own.css").status_code == 404
