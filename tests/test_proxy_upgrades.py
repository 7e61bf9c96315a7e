"""WebSockets and other upgrades through to a back end."""
import base64
import hashlib
import socket
import subprocess

import pytest

from harness import raw, tls, venvs, waiting

HELLO = 'WSGIScriptAlias / "@apps@/hello/app.py"\n'
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = base64.b64encode(hashlib.sha1((KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
ASK = ["Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {KEY}"]


def frame(text, masked=True):
    data = text.encode()
    assert len(data) < 126
    if not masked:
        return bytes([0x81, len(data)]) + data
    mask = b"\x01\x02\x03\x04"
    return bytes([0x81, 0x80 | len(data)]) + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


def websocket_echo(exchange):
    """Answers each text with the same in upper case, and ends when the client does."""
    if (exchange.one("Upgrade") or "").lower() != "websocket":
        exchange.respond("no websocket")
        return False
    assert exchange.one("Connection") == "Upgrade"
    accept = base64.b64encode(hashlib.sha1((exchange.one("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    exchange.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  f"Sec-WebSocket-Accept: {accept}\r\n\r\n" + frame("hello", masked=False).decode("latin-1"))
    while head := exchange.reader.read(2):
        mask = exchange.reader.read(4)
        data = exchange.reader.read(head[1] & 0x7F)
        text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)).decode()
        exchange.send(frame(text.upper(), masked=False))
    exchange.send(frame("bye", masked=False))
    return True


def converse(connection, texts=("one", "two")):
    connection.request("/ws/chat", headers=ASK)
    head = connection.read_until(b"\r\n\r\n")
    status, _, fields = raw.parse_head(head)
    fields = {name.lower(): value for name, value in fields}
    assert (status, fields["upgrade"].lower(), fields["connection"].lower()) == (101, "websocket", "upgrade")
    assert fields["sec-websocket-accept"] == ACCEPT
    assert connection.read_exactly(7) == frame("hello", masked=False)
    for text in texts:
        connection.send(frame(text))
        assert connection.read_exactly(2 + len(text)) == frame(text.upper(), masked=False)


@pytest.mark.parametrize("how", ["ProxyPass /ws/ ws://127.0.0.1:{port}/ws/\n", "ProxyPass /ws/ http://127.0.0.1:{port}/ws/ upgrade=websocket\n",
                                 "ProxyPass /ws/ http://127.0.0.1:{port}/ws/ upgrade=ANY\n",
                                 "RewriteEngine On\nRewriteCond %{{HTTP:Upgrade}} =websocket [NC]\nRewriteRule ^/ws/(.*) ws://127.0.0.1:{port}/ws/$1 [P]\n"
                                 "ProxyPass /ws/ http://127.0.0.1:{port}/ws/\n"])
def test_a_websocket(serve, back_end, how):
    end = back_end(websocket_echo)
    server = serve(how.format(port=end.port))
    with server.connect() as connection:
        converse(connection)
        # Both directions end on their own.
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.read_to_end() == frame("bye", masked=False)
    assert server.get("/ws/plain").text == "no websocket"


def test_a_websocket_over_tls(serve, back_end, tmp_path):
    authority = tls.Authority(tmp_path / "authority")
    authority.issue("local", "localhost")
    end = back_end(websocket_echo)
    folder = authority.folder
    server = serve(f'SSLEngine On\nSSLCertificateFile "{folder}/local.crt"\nSSLCertificateKeyFile "{folder}/local.key"\n'
                   f"ProxyPass /ws/ ws://127.0.0.1:{end.port}/ws/\n")
    with tls.Connection(server.port, authority.context()) as connection:
        converse(connection)
    waiting.until(lambda: not end.open, "the back end's connection to end")


def test_an_upgrade_that_no_rule_allows(serve, back_end):
    end = back_end(websocket_echo)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        response = connection.get("/ws/chat", headers=ASK)
    assert (response.status, response.body) == (200, b"no websocket")


def test_a_back_end_that_wants_no_upgrade(serve, back_end):
    end = back_end(lambda exchange: exchange.respond("no", "400 Bad Request"))
    server = serve(f"ProxyPass / {end.url}/ upgrade=websocket\n")
    with server.connect() as connection:
        assert connection.get("/", headers=ASK).status == 400
        assert connection.get("/").status == 400


def test_websockets_last(serve, back_end):
    """`KeepAliveTimeout` and `Timeout` are for HTTP; `ProxyTimeout` is for them where it is written."""
    end = back_end(websocket_echo)
    server = serve(f"KeepAliveTimeout 1\nTimeout 1\nProxyPass /ws/ ws://127.0.0.1:{end.port}/ws/\n"
                   f"<VirtualHost *:@port@>\nServerName short.example\nProxyTimeout 1\nProxyPass /ws/ ws://127.0.0.1:{end.port}/ws/\n</VirtualHost>\n"
                   "<VirtualHost *:@port@>\nServerName localhost\n</VirtualHost>\n")
    with server.connect() as connection, server.connect() as other:
        converse(connection)
        other.request("/ws/chat", headers=ASK, host="short.example")
        other.read_until(b"hello")
        # This one ends for its silence, and the one that is as silent does not.
        assert other.read_to_end() in (b"", frame("bye", masked=False))
        connection.send(frame("still"))
        assert connection.read_exactly(7) == frame("STILL", masked=False)


def test_a_websocket_holds_no_python(serve, back_end):
    end = back_end(websocket_echo)
    server = serve(f"ProxyPass /ws/ ws://127.0.0.1:{end.port}/ws/\n" + HELLO)
    connections = [server.connect() for _ in range(20)]
    for connection in connections:
        converse(connection)
    assert server.get("/").text == "Hello, world\n"
    for connection in connections:
        connection.close()
    waiting.until(lambda: not end.open, "the back end's connections to end")


def test_a_websocket_outlives_a_graceful_restart(serve, back_end):
    end = back_end(websocket_echo)
    server = serve(f"ProxyPass /ws/ ws://127.0.0.1:{end.port}/ws/\n" + HELLO)
    with server.connect() as connection:
        converse(connection)
        subprocess.run([venvs.BINARY, "-f", server.config, "-k", "graceful"], check=True, env=server.environment)
        with server.connect() as other:
            converse(other)
        connection.send(frame("still"))
        assert connection.read_exactly(7) == frame("STILL", masked=False)
