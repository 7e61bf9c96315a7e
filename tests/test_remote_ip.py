"""Who a request comes from by the word of a proxy: mod_remoteip's header, and the PROXY protocol."""
import json
import socket
import struct

import pytest

from harness import http2, raw, tls, waiting

APP = """
WSGIScriptAlias / "@apps@/environ/app.py"
<Location /inside>
    Require ip 198.51.100.0/24
</Location>
LogFormat "%h %a %{c}a %{remote}p %{X-Forwarded-For}i" ends
CustomLog ends.log ends
"""
HEADER = "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1\nRemoteIPProxiesHeader X-Forwarded-By\n"
V1 = b"PROXY TCP4 198.51.100.7 10.0.0.1 4711 80\r\n"
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H4s4sHH", 12, bytes([198, 51, 100, 7]), bytes([10, 0, 0, 1]), 4711, 80)


def get(server, forwarded=None, target="/"):
    headers = [f"X-Forwarded-For: {forwarded}"] if forwarded else []
    with raw.Connection(server.port) as connection:
        return connection.get(target, headers=headers)


def logged(server, line):
    log = server.tmp / "ends.log"
    waiting.until(lambda: log.exists() and line in log.read_text(), f"{line!r} in {log}")


@pytest.fixture(scope="module")
def behind(serve_module):
    return serve_module(APP + HEADER)


def test_a_known_proxy_is_believed(behind):
    environ = json.loads(get(behind, "6.6.6.6, 198.51.100.7").body)
    assert environ["REMOTE_ADDR"] == "198.51.100.7"
    assert environ["HTTP_X_FORWARDED_FOR"] == "6.6.6.6"
    assert "HTTP_X_FORWARDED_BY" not in environ
    logged(behind, "198.51.100.7 198.51.100.7 127.0.0.1 ")
    assert json.loads(get(behind).body)["REMOTE_ADDR"] == "127.0.0.1"


def test_each_request_of_a_connection_has_its_own(behind):
    with raw.Connection(behind.port) as connection:
        for client in ("198.51.100.1", "198.51.100.2", None):
            headers = [f"X-Forwarded-For: {client}"] if client else []
            assert json.loads(connection.get("/", headers=headers).body)["REMOTE_ADDR"] == (client or "127.0.0.1")


def test_access_rules_go_by_it(behind):
    assert get(behind, "198.51.100.7", "/inside").status == 200
    assert get(behind, "203.0.113.7", "/inside").status == 403
    assert get(behind, target="/inside").status == 403


def test_an_unknown_proxy_is_not_believed(serve):
    server = serve(APP + "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 10.0.0.0/8\n")
    environ = json.loads(get(server, "198.51.100.7").body)
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["HTTP_X_FORWARDED_FOR"] == "198.51.100.7"
    assert get(server, "198.51.100.7", "/inside").status == 403


def test_only_where_it_is_configured(serve):
    assert json.loads(get(serve(APP), "198.51.100.7").body)["REMOTE_ADDR"] == "127.0.0.1"


@pytest.fixture(scope="module")
def announced(serve_module):
    # The harness knocks from 127.0.0.1 without a word, and that is closed; so it must come to another port.
    return serve_module(
        f"""
Listen 127.0.0.1:@second_port@
{APP}
<VirtualHost *:@second_port@>
    RemoteIPProxyProtocol On
    {HEADER}
</VirtualHost>
"""
    )


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_the_proxy_protocol(announced, header):
    with raw.Connection(announced.second_port) as connection:
        # In pieces, and with the request in the same packet as the last of them.
        for at in range(len(header) - 1):
            connection.send(header[at : at + 1])
        connection.send(header[-1:] + b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")
        environ = json.loads(connection.response().body)
        assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("198.51.100.7", "4711")
        assert environ["HTTP_X_FORWARDED_FOR"] == "6.6.6.6"
        assert connection.get("/inside").status == 200
    logged(announced, "198.51.100.7 198.51.100.7 127.0.0.1 4711 ")


def test_connections_of_the_proxys_own(announced):
    for header in (b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"):
        with raw.Connection(announced.second_port) as connection:
            connection.send(header)
            assert json.loads(connection.get("/").body)["REMOTE_ADDR"] == "127.0.0.1"


def test_without_the_announcement_nothing_is_answered(announced):
    for first in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"PROXY TCP4 1 2 3\r\n", b"P" * 500):
        with raw.Connection(announced.second_port) as connection:
            connection.send(first)
            assert connection.read_to_end() == b""
    assert get(announced).status == 200


def test_exceptions(serve):
    server = serve(APP + "RemoteIPProxyProtocol On\nRemoteIPProxyProtocolExceptions 127.0.0.0/8\n")
    assert json.loads(get(server).body)["REMOTE_ADDR"] == "127.0.0.1"
    with raw.Connection(server.port) as connection:
        connection.send(V1)
        assert connection.response().status == 400


def test_before_tls_and_http_2(serve, tmp_path):
    authority = tls.Authority(tmp_path / "authority")
    authority.issue("local", "localhost")
    server = serve(
        f"""
{APP}
Listen 127.0.0.1:@second_port@
<VirtualHost *:@second_port@>
    RemoteIPProxyProtocol On
    Protocols h2 http/1.1
    SSLEngine On
    SSLCertificateFile "{authority.folder}/local.pem"
</VirtualHost>
"""
    )
    context = authority.context(alpn=["http/1.1"])
    with socket.create_connection(("127.0.0.1", server.second_port)) as plain:
        plain.sendall(V2)
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            secure.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            received = b"".join(iter(lambda: secure.recv(65536), b""))
    environ = json.loads(received.split(b"\r\n\r\n", 1)[1])
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("198.51.100.7", "https")


def test_over_http_2(serve):
    server = serve(f"Protocols h2c\n{APP}{HEADER}")
    with http2.Connection(server.port) as connection:
        streams = {n: connection.request("/", headers=[("x-forwarded-for", f"198.51.100.{n}")]) for n in range(1, 9)}
        for number, stream in streams.items():
            assert json.loads(connection.response(stream)[2])["REMOTE_ADDR"] == f"198.51.100.{number}"


def test_a_silent_proxy_is_let_go(serve):
    server = serve(f"{APP}Timeout 1\nListen 127.0.0.1:@second_port@\n<VirtualHost *:@second_port@>\nRemoteIPProxyProtocol On\n</VirtualHost>\n")
    with raw.Connection(server.second_port) as connection:
        connection.send(b"PROXY ")
        assert connection.read_to_end() == b""
