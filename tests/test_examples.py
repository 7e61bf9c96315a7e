"""The examples' configurations with their sites: Django's as `cargo xtask demo` puts them together."""
import re
import shutil
import subprocess

import pytest

from harness import venvs
from harness.server import Server, environment

EXAMPLE = venvs.ROOT / "examples/django"


@pytest.fixture(scope="module")
def demo(tmp_path_factory, venv):
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(EXAMPLE / "site", folder / "site", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("media", "htdocs", "logs"):
        (folder / name).mkdir()
    for words in ("migrate --noinput", "loaddata first_entries", "collectstatic --noinput"):
        command = [venv.python, "manage.py", *words.split(), "--verbosity", "0"]
        subprocess.run(command, cwd=folder / "site", check=True, env=environment({"PYTHONDONTWRITEBYTECODE": "1"}))
    server = Server(folder, "", venv=venv)
    text = (EXAMPLE / "httpd.conf").read_text().replace("/path/to/demo/venv", str(venv.path))
    server.config.write_text(text.replace("/path/to/demo", str(folder)).replace("8000", str(server.port)))
    server.error_log = folder / "logs/error.log"
    yield server.start()
    server.stop()


MOUNTS = [("localhost", "/mysite"), ("othersite.localhost", "")]


@pytest.mark.parametrize(("host", "prefix"), MOUNTS)
def test_both_mounts(demo, host, prefix):
    with demo.new_client(host=f"{host}:{demo.port}") as client:
        page = client.get(f"{prefix}/")
        assert page.status_code == 200, demo.report()
        assert "日本語" in page.text
        assert f'href="{prefix}/about/"' in page.text
        style = re.search(r'href="(/static/[^"]+\.css)"', page.text)[1]
        assert client.get(style).headers["content-type"].startswith("text/css")
        about = client.get(f"{prefix}/about/").text
        assert f"http://{host}:{demo.port}{prefix}/about/" in about


@pytest.mark.parametrize(("host", "prefix"), MOUNTS)
def test_signing_the_book_with_a_file(demo, host, prefix):
    with demo.new_client(host=f"{host}:{demo.port}", follow_redirects=True) as client:
        page = client.get(f"{prefix}/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[1]
        data = {"name": "Zoë", "text": "Hello", "csrfmiddlewaretoken": token}
        page = client.post(f"{prefix}/", data=data, files={"attachment": ("日本.txt", b"attached")})
        assert "Thank you, Zoë" in page.text, demo.report()
        link = re.search(r'href="(/media/attachments/[^"]+)"', page.text)[1]
        assert client.get(link).content == b"attached"


def test_an_address_outside_the_mount_is_not_djangos(demo):
    with demo.new_client(host=f"localhost:{demo.port}") as client:
        assert client.get("/mysite2/").status_code == 404


@pytest.fixture(scope="module")
def guestbook(tmp_path_factory, venv):
    folder = tmp_path_factory.mktemp("guestbook")
    example = venvs.ROOT / "examples/mod_python"
    shutil.copytree(example / "site", folder / "site", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "logs").mkdir()
    server = Server(folder, "", venv=venv)
    text = (example / "httpd.conf").read_text().replace("/path/to/venv", str(venv.path))
    server.config.write_text(text.replace("/path/to", str(folder)).replace("8000", str(server.port)))
    server.error_log = folder / "logs/error.log"
    yield server.start()
    server.stop()


def test_the_guestbook(guestbook):
    with guestbook.new_client(follow_redirects=True) as client:
        assert "Nobody has signed yet" in client.get("/guestbook").text, guestbook.report()
        page = client.post("/guestbook/sign", data={"name": "Zoë <b>", "text": "日本語"})
        assert page.url.path == "/guestbook"
        assert "<b>Zoë &lt;b&gt;</b>: 日本語" in page.text
        assert client.get("/guestbook/empty").status_code == 401
        assert client.get("/guestbook/_book").status_code == 403
        assert "日本語" in client.get("/guestbook").text
        assert "Nobody" in client.get("/guestbook/empty", auth=("owner", "change me")).text
