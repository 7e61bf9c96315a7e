"""`PythonOption django.root`: what is taken off an address, and where a mount ends."""
import pytest

from harness import django

SITE = ("django_request", "request_site.settings")


@pytest.fixture(scope="module")
def server(serve_module):
    return serve_module(
        django.location(*SITE, at="/mysite", root="/mysite")
        + django.location(*SITE, at="/unstripped")
        + 'DocumentRoot "@tmp@"'
    )


@pytest.mark.parametrize(
    ("target", "path", "path_info"),
    [
        ("/mysite/", "/mysite/", "/"),
        ("/mysite/x/", "/mysite/x/", "/x/"),
        ("/mysite/x?q=/mysite/", "/mysite/x", "/x"),
        ("/mysite/mysite/", "/mysite/mysite/", "/mysite/"),
        ("/mysite//x", "/mysite//x", "//x"),
        ("/mysite/%E9%9D%9E", "/mysite/非", "/非"),
    ],
)
def test_with_a_root(server, target, path, path_info):
    seen = server.get(target).json()
    assert (seen["path"], seen["path_info"]) == (path, path_info)
    assert seen["META"]["SCRIPT_NAME"] == "/mysite"
    assert seen["META"]["PATH_INFO"] == path_info
    assert seen["reverse"] == "/mysite/named/a%20b/"


def test_the_root_itself_is_the_sites_slash(server):
    seen = server.get("/mysite").json()
    assert seen["path_info"] == "/"
    assert seen["META"]["SCRIPT_NAME"] == "/mysite"


def test_build_absolute_uri_keeps_the_root(server):
    assert server.get("/mysite/x").json()["absolute"] == f"http://127.0.0.1:{server.port}/mysite/x"


@pytest.mark.parametrize("target", ["/mysite2", "/mysite2/", "/mysite2/x", "/mysit", "/other/mysite/"])
def test_a_neighbour_is_not_matched(server, target):
    assert server.get(target).status_code == 404


def test_without_a_root_nothing_is_stripped(server):
    seen = server.get("/unstripped/x/").json()
    assert seen["path"] == seen["path_info"] == "/unstripped/x/"
    assert seen["META"]["SCRIPT_NAME"] == ""
    assert seen["reverse"] == "/named/a%20b/"


def test_two_mounts_do_not_leak_into_each_other(server):
    for _ in range(3):
        assert server.get("/mysite/").json()["reverse"] == "/mysite/named/a%20b/"
        assert server.get("/unstripped/").json()["reverse"] == "/named/a%20b/"


def test_the_how_tos_location_with_a_slash(serve):
    server = serve(django.location(*SITE, at="/mysite/", root="/mysite") + 'DocumentRoot "@tmp@"')
    assert server.get("/mysite/x").json()["path_info"] == "/x"
    # As under Apache: the Location begins after the slash, so this is an address of the file system.
    assert server.get("/mysite").status_code == 404


def test_a_root_of_two_segments(serve):
    server = serve(django.location(*SITE, at="/a/b", root="/a/b"))
    seen = server.get("/a/b/c").json()
    assert (seen["META"]["SCRIPT_NAME"], seen["path_info"]) == ("/a/b", "/c")


def test_force_script_name_is_djangos_last_word(serve):
    server = serve("SetEnv FORCE_SCRIPT_NAME /forced\n" + django.location(*SITE, at="/mysite", root="/mysite"))
    seen = server.get("/mysite/x").json()
    assert seen["reverse"] == "/forced/named/a%20b/"
    assert seen["path"] == "/forced/x"


def test_the_settings_module_by_python_option(serve):
    text = django.location(*SITE).replace("SetEnv DJANGO", "PythonOption DJANGO")
    assert serve(text).get("/x").json()["path"] == "/x"


def test_one_project_at_two_virtual_hosts(serve):
    one = django.location(*SITE, at="/mysite", root="/mysite", extra="PythonInterpreter mysite")
    two = django.location(*SITE, extra="PythonInterpreter mysite")
    server = serve(
        f"""
        <VirtualHost *:@port@>
            ServerName localhost
            {one}
        </VirtualHost>
        <VirtualHost *:@port@>
            ServerName othersite.localhost
            {two}
        </VirtualHost>
        """
    )
    seen = server.get("/mysite/x", headers={"Host": "localhost"}).json()
    assert seen["reverse"] == "/mysite/named/a%20b/"
    seen = server.get("/x", headers={"Host": "othersite.localhost"}).json()
    assert seen["reverse"] == "/named/a%20b/"
    assert seen["absolute"] == "http://othersite.localhost/x"
