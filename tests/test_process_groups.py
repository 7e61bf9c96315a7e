"""`PythonGroup` and mod_wsgi's directives: which processes answer, and what they are like."""
import os
import pwd

import pytest

from harness import waiting

ENVIRON = 'WSGIScriptAlias / "@apps@/environ/app.py"'


def fresh(server, target):
    with server.connect() as connection:
        return connection.get(target).body


def test_a_daemon_process_is_one_process_with_its_own_python_path(serve, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "extra.pth").write_text(f"{tmp_path / 'deep'}\n")
    (tmp_path / "deep").mkdir()
    server = serve(
        f"""
WSGIDaemonProcess mysite python-path=@tmp@/lib lang=C.UTF-8 home=@tmp@/lib threads=3
WSGIProcessGroup mysite
WSGIApplicationGroup %{{GLOBAL}}
{ENVIRON}
""",
        workers=3,
    )
    shown = server.get("/").json()
    assert shown["test.sys_path"][:2] == [str(tmp_path / "lib"), str(tmp_path / "deep")]
    assert shown["test.os_environ"]["LANG"] == "C.UTF-8"
    assert os.readlink(f"/proc/{shown['test.pid']}/cwd") == str(tmp_path / "lib")
    assert shown["wsgi.multiprocess"] is False
    pids = {fresh(server, "/") for _ in range(20)}
    assert len({body.split(b'"test.pid": ')[1].split(b",")[0] for body in pids}) == 1


def test_two_django_projects_as_mod_wsgi_s_users_write_them(serve):
    server = serve(
        """
WSGIDaemonProcess first
WSGIDaemonProcess second
WSGIScriptAlias /first "@apps@/two_projects/first.wsgi" process-group=first application-group=%{GLOBAL}
WSGIScriptAlias /second "@apps@/two_projects/second.wsgi" process-group=second application-group=%{GLOBAL}
"""
    )
    one, two = server.get("/first").json(), server.get("/second").json()
    assert (one["project"], two["project"]) == ("first", "second")
    assert one["pid"] != two["pid"]


def test_application_groups_run_apart(serve):
    server = serve(
        """
WSGIApplicationGroup %{RESOURCE}
WSGIScriptAlias /first "@apps@/two_projects/first.wsgi"
WSGIScriptAlias /second "@apps@/two_projects/second.wsgi"
"""
    )
    assert server.get("/first").json()["project"] == "first"
    assert server.get("/second").json()["project"] == "second"


def test_a_second_project_in_one_interpreter_is_told_of(serve):
    server = serve(
        """
WSGIScriptAlias /first "@apps@/two_projects/first.wsgi"
WSGIScriptAlias /second "@apps@/two_projects/second.wsgi"
"""
    )
    assert server.get("/first").json()["project"] == "first"
    log = server.wait_for_log("will serve that")
    assert "second_settings" in log and "WSGIApplicationGroup" in log


def test_two_applications_in_one_interpreter(serve):
    server = serve(
        'WSGIScriptAlias /one "@apps@/environ/app.py"\nWSGIScriptAlias /two "@apps@/hello/app.py"\n'
    )
    assert server.get("/two").status_code == 200
    assert server.get("/one").json()["SCRIPT_NAME"] == "/one"


def test_authorization_is_passed_only_where_it_says_so(serve):
    server = serve(
        """
WSGIScriptAlias /off "@apps@/environ/app.py"
WSGIScriptAlias /option "@apps@/environ/app.py" pass-authorization=On
<Location "/section">
    WSGIPassAuthorization On
</Location>
WSGIScriptAlias /section "@apps@/environ/app.py"
"""
    )
    auth = {"Authorization": "Bearer abc"}
    assert "HTTP_AUTHORIZATION" not in server.get("/off", headers=auth).json()
    for target in ("/option", "/section"):
        assert server.get(target, headers=auth).json()["HTTP_AUTHORIZATION"] == "Bearer abc"


def test_a_callable_by_any_name(serve, tmp_path):
    (tmp_path / "named.py").write_text("def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'named']\n")
    server = serve('WSGICallableObject app\nWSGIScriptAlias / "@tmp@/named.py"')
    assert server.get("/").text == "named"


def test_an_import_script_runs_before_the_application(serve, tmp_path):
    (tmp_path / "early.py").write_text("import os\nos.environ['EARLY'] = 'bird'\n")
    server = serve(
        f"""
WSGIDaemonProcess mysite
WSGIImportScript "@tmp@/early.py" process-group=mysite application-group=%{{GLOBAL}}
WSGIProcessGroup mysite
{ENVIRON}
"""
    )
    assert server.get("/").json()["test.os_environ"]["EARLY"] == "bird"


def test_a_group_has_its_own_size(serve):
    server = serve(
        """
PythonGroup big processes=3
<Location "/big">
    PythonInterpreter big
</Location>
WSGIScriptAlias /big "@apps@/crash/app.py"
WSGIScriptAlias /small "@apps@/crash/app.py"
"""
    )
    seen = set()
    waiting.until(lambda: seen.add(fresh(server, "/big/pid")) or len(seen) == 3, "three workers to have answered")
    assert len({fresh(server, "/small/pid") for _ in range(20)}) == 1


def test_a_worker_is_replaced_when_its_time_is_over(serve):
    server = serve(f'PythonGroup main_interpreter lifetime=1\nWSGIScriptAlias / "@apps@/crash/app.py"', workers=2)
    first = {fresh(server, "/pid") for _ in range(20)}
    waiting.until(lambda: fresh(server, "/pid") not in first, "a new worker")
    server.wait_for_log("is replaced: 1 s old")
    assert ":error]" not in server.log()


def test_a_worker_that_grows_is_replaced(serve, tmp_path):
    (tmp_path / "grows.py").write_text(
        "import os\nkept = []\n"
        "def application(environ, start_response):\n"
        "    if environ['PATH_INFO'] == '/grow':\n"
        "        kept.append(b'x' * 100_000_000)\n"
        "    start_response('200 OK', [])\n"
        "    return [str(os.getpid()).encode()]\n"
    )
    server = serve('PythonGroup main_interpreter memory-limit=80000000\nWSGIScriptAlias / "@tmp@/grows.py"')
    old = fresh(server, "/")
    assert fresh(server, "/grow") == old
    waiting.until(lambda: fresh(server, "/") != old, "a new worker")
    server.wait_for_log(r"is replaced: it has \d+ MB of memory")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_each_group_runs_as_its_own_user(serve, tmp_path):
    names = [name for name in ("daemon", "nobody", "www-data") if any(entry.pw_name == name for entry in pwd.getpwall())]
    if len(names) < 2 or not readable_by_all(tmp_path):
        pytest.skip("there are no two users who can read the tests")
    one, two = names[:2]
    server = serve(
        f"""
PythonGroup one user={one} umask=077
PythonGroup two user={two}
<Location "/one">
    PythonInterpreter one
</Location>
<Location "/two">
    PythonInterpreter two
</Location>
WSGIScriptAlias /one "@tmp@/who.py"
WSGIScriptAlias /two "@tmp@/who.py"
""",
        start=False,
    )
    (tmp_path / "who.py").write_text(
        "import os\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    mask = os.umask(0)\n"
        "    os.umask(mask)\n"
        "    return [f'{os.getuid()} {mask:03o}'.encode()]\n"
    )
    server.start()
    assert server.get("/one").text == f"{pwd.getpwnam(one).pw_uid} 077"
    assert server.get("/two").text.startswith(f"{pwd.getpwnam(two).pw_uid} ")


def readable_by_all(folder):
    """Whether others can come to the folder, and to Python and its libraries."""
    from harness import venvs

    places = [folder, venvs.newest().python.resolve(), venvs.BINARY.resolve()]
    return all(parent.stat().st_mode & 0o005 == 0o005 for place in places for parent in [place, *place.parents])
