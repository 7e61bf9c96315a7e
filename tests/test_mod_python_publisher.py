"""mod_python's publisher: what a URL reaches, what it must not reach, and who may."""
import pytest

CONFIG = """
DocumentRoot "@apps@/modpython_publisher"
<Directory "@apps@/modpython_publisher">
    Require all granted
    SetHandler mod_python
    PythonHandler mod_python.publisher
</Directory>
"""


@pytest.fixture(scope="module", params=["Off", "On"], ids=["alone", "behind fronts"])
def server(request, serve_module):
    return serve_module(f"PythonIsolation {request.param}\n{CONFIG}")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/", "the index"),
        ("/index", "the index"),
        ("/index.py", "the index"),
        ("/other", "other nobody"),
        ("/other?name=Zo%C3%AB", "other Zoë"),
        ("/index.py/other", "other nobody"),
        ("/book", "<html><body>the book</body></html>"),
        ("/book.py", "<html><body>the book</body></html>"),
        ("/book/sign?name=Z&text=T", "Z: T (1, Z, name=Z&text=T)"),
        ("/book.py/sign?name=Z&unknown=1", "Z:  (1, Z, name=Z&unknown=1)"),
        ("/book/everything?a=1&b=2&b=3", "[('a', '1'), ('b', ['2', '3'])]"),
        ("/book/text", "plain text"),
        ("/book/number", "42"),
        ("/book/pages", "one 2 three"),
        ("/book/nothing", ""),
        ("/book/shelf", "the shelf itself"),
        ("/book/shelf/label", "a shelf"),
        ("/book/shelf/take", "took all"),
        ("/book/shelf/lower/take?what=one", "took one"),
    ],
)
def test_published(server, path, text):
    response = server.get(path)
    assert (response.status_code, response.text) == (200, text)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/book/_hidden", 403),
        ("/book/__name__", 403),
        ("/book/shelf/__class__", 403),
        ("/book/shelf/take/__globals__", 403),
        ("/book/shelf/take/x", 403),
        ("/book/sign/x", 403),
        ("/book/text/upper", 403),
        ("/book/os", 403),
        ("/book/os/getcwd", 403),
        ("/book/Shelf", 403),
        ("/book/Shelf/take", 403),
        ("/book/missing", 404),
        ("/book/shelf/missing", 404),
        ("/missing", 404),
        ("/missing/deeper", 404),
    ],
)
def test_not_published(server, path, status):
    response = server.get(path)
    assert response.status_code == status, response.text


def test_types(server):
    assert server.get("/book").headers["content-type"].lower() == "text/html; charset=utf-8"
    assert server.get("/book/text").headers["content-type"].lower() == "text/plain; charset=utf-8"


def test_methods(server):
    assert server.post("/book/sign", data={"name": "Z"}).text == "Z:  (1, Z, None)"
    response = server.client.put("/book/sign", content=b"x")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST, HEAD"


def test_an_upload_is_a_field(server):
    assert server.post("/book/upload", files={"file": ("a.txt", b"12345")}).text == "a.txt 5"


def test_an_argument_that_is_missing(server):
    assert server.get("/book/sign").status_code == 500


@pytest.mark.parametrize(
    ("path", "user", "status"),
    [
        ("/book/by_dictionary", None, 401),
        ("/book/by_dictionary", ("eggs", "ham"), 401),
        ("/book/by_dictionary", ("eggs", "spam"), 200),
        ("/book/by_function", ("eggs", "spam"), 401),
        ("/book/by_function", ("eggs", "sgge"), 200),
        ("/book/by_function", ("nobody", "ydobon"), 403),
        ("/book/by_list", None, 401),
        ("/book/by_list", ("eggs", "any"), 200),
        ("/book/by_list", ("ham", "any"), 403),
        ("/book/by_nobody_knows", ("eggs", "spam"), 500),
        ("/closed", None, 401),
        ("/closed", ("eggs", "spam"), 200),
        ("/closed/index", ("eggs", "ham"), 401),
        ("/closed/missing", None, 401),
    ],
)
def test_who_may(server, path, user, status):
    response = server.get(path, auth=user)
    assert response.status_code == status
    if status == 401:
        realm = {"/book/by_dictionary": "Kitchen", "/closed": "All of it"}.get(path, "")
        assert response.headers["www-authenticate"].startswith(f'Basic realm="{realm}')
    if status == 200 and "list" not in path:
        assert response.text.endswith("for eggs")
