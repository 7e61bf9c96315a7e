"""What a file's name says about it, and who answers for it (mod_mime)."""
import pytest

CONFIG = """
TypesConfig "@tmp@/mime.types"
DocumentRoot "@tmp@/tree"
AddType application/x-mine .mine
AddEncoding gzip .gz
AddLanguage fr .fr
AddLanguage en .en
AddCharset ISO-8859-5 .ru
AddType application/x-tgz .tgz
DefaultLanguage de
<Directory "@tmp@/tree/inner">
    RemoveType .mine
    RemoveEncoding .gz
    AddDefaultCharset utf-8
</Directory>
<Files "forced.*">
    ForceType text/x-forced
</Files>
"""

# name, Content-Type, Content-Encoding, Content-Language
FILES = [
    ("a.mine", "application/x-mine", None, "de"),
    ("a.MINE", "application/x-mine", None, "de"),
    ("a.js.gz", "text/javascript", "gzip", "de"),
    ("a.gz.html.fr", "text/html", "gzip", "fr"),
    ("a.html.fr.en", "text/html", None, "fr, en"),
    ("a.txt.ru", "text/plain;charset=ISO-8859-5", None, "de"),
    ("a.tgz", "application/x-tgz", None, "de"),
    ("a.table", "text/x-table", None, "de"),
    ("forced.html", "text/x-forced", None, "de"),
    ("a", None, None, "de"),
    ("inner/a.mine", None, None, "de"),
    ("inner/a.html", "text/html;charset=utf-8", None, "de"),
    ("inner/a.html.gz", "application/gzip", None, "de"),
]


@pytest.fixture(scope="module")
def server(serve_module):
    server = serve_module(CONFIG, start=False)
    (server.tmp / "tree/inner").mkdir(parents=True)
    (server.tmp / "mime.types").write_text("text/x-table table\n")
    for name, *_ in FILES:
        (server.tmp / "tree" / name).write_bytes(b"content")
    return server.start()


@pytest.mark.parametrize(("name", "kind", "encoding", "language"), FILES)
def test_a_name_describes_its_file(server, name, kind, encoding, language):
    with server.connect() as connection:
        response = connection.get(f"/{name}")
    found = [response.one(field) for field in ("Content-Type", "Content-Encoding", "Content-Language")]
    assert (response.status, response.body, found) == (200, b"content", [kind, encoding, language])


def test_a_name_may_choose_the_handler(serve):
    server = serve("""
        DocumentRoot "@tmp@/tree"
        AddHandler python-program .py
        PythonHandler alula.handlers.wsgi
        PythonOption wsgi.application app:application
        PythonPath "['@apps@/environ'] + sys.path"
        <Directory "@tmp@/tree/source">
            RemoveHandler .py
        </Directory>
    """, start=False)
    (server.tmp / "tree/source").mkdir(parents=True)
    for name in ("a.py", "a.html", "source/a.py"):
        (server.tmp / "tree" / name).write_text("source")
    server.start()
    environ = server.get("/a.py/more?x=1").json()
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/a.py", "/more", "x=1")
    assert server.get("/a.py").json()["PATH_INFO"] == ""
    assert server.get("/a.html").text == "source"
    assert server.get("/source/a.py").text == "source"
    assert server.get("/none.py").status_code == 404
