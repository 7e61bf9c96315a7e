"""Header names that could pass for something the server itself says never reach an application."""
import json

import pytest


@pytest.fixture(scope="module")
def server(serve_module):
    return serve_module('WSGIScriptAlias / "@apps@/environ/app.py"')


def environ(server, *headers):
    with server.connect() as connection:
        return json.loads(connection.get("/", headers=headers).body)


@pytest.mark.parametrize("name", ["X_Forwarded_For", "X-Real_IP", "REMOTE_USER", "Remote_Addr", "Content_Length", "_"])
def test_underscores(server, name):
    seen = environ(server, f"{name}: forged", "X-Forwarded-For: 1.2.3.4")
    assert "forged" not in json.dumps(seen)
    assert seen["HTTP_X_FORWARDED_FOR"] == "1.2.3.4"


@pytest.mark.parametrize("name", ["Proxy", "proxy", "PROXY"])
def test_proxy(server, name):
    seen = environ(server, f"{name}: http://forged/")
    assert "HTTP_PROXY" not in seen and "HTTP_PROXY" not in seen["test.os_environ"]


def test_remote_user_is_the_servers_to_say(server):
    seen = environ(server, "Remote-User: forged")
    assert "REMOTE_USER" not in seen and "AUTH_TYPE" not in seen


def test_the_host_of_a_whole_url_replaces_the_header(server):
    with server.connect() as connection:
        connection.send("GET http://from-the-line/ HTTP/1.1\r\nHost: from-the-header\r\n\r\n")
        seen = json.loads(connection.response().body)
    assert seen["HTTP_HOST"] == "from-the-line"
    assert seen["SERVER_NAME"] == "from-the-line"
