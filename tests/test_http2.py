"""HTTP/2: over TLS and without, what applications and logs see, its limits, its end."""
import json
import signal

import h2.errors
import h2.events
import pytest

from harness import http2, raw, tls, waiting

APP = 'WSGIScriptAlias /environ "@apps@/environ/app.py"\nWSGIScriptAlias /body "@apps@/body/app.py"\n'


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = tls.Authority(tmp_path_factory.mktemp("authority"))
    authority.issue("local", "localhost")
    return authority


def engine(authority):
    return f'Protocols h2 http/1.1\nSSLEngine On\nSSLCertificateFile "{authority.folder}/local.pem"\n'


@pytest.fixture(scope="module")
def secure(authority, serve_module):
    return serve_module(
        f"""
{engine(authority)}
SSLOptions +StdEnvVars
{APP}
DocumentRoot "@apps@"
"""
    )


@pytest.fixture(scope="module")
def plain(serve_module):
    return serve_module(f'Protocols h2c http/1.1\n{APP}\nDocumentRoot "@apps@"\nLimitRequestBody 100000\n')


def test_over_tls(secure, authority):
    with http2.Connection(secure.port, authority.context()) as connection:
        status, headers, body = connection.get("/environ/a?b=c", headers=[("cookie", "a=1"), ("cookie", "b=2")])
    environ = json.loads(body)
    assert status == 200
    assert environ["SERVER_PROTOCOL"] == "HTTP/2.0"
    assert environ["HTTP_HOST"] == "localhost"
    assert environ["REQUEST_URI"] == "/environ/a?b=c"
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["SSL_PROTOCOL"] == "TLSv1.3"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert not {"connection", "keep-alive", "transfer-encoding"} & {name for name, _ in headers}
    waiting.until(lambda: '"GET /environ/a?b=c HTTP/2.0" 200' in secure.access_log.read_text(), "the log line")


def test_the_client_may_prefer_http_1(secure, authority):
    with tls.Connection(secure.port, authority.context(alpn=["http/1.1"])) as connection:
        assert connection.socket.selected_alpn_protocol() == "http/1.1"
        assert json.loads(connection.get("/environ").body)["SERVER_PROTOCOL"] == "HTTP/1.1"
    with tls.Connection(secure.port, authority.context()) as connection:
        assert connection.get("/environ").status == 200


def test_without_tls(plain):
    with http2.Connection(plain.port) as connection:
        status, _, body = connection.get("/environ")
        assert json.loads(body)["SERVER_PROTOCOL"] == "HTTP/2.0"
        assert json.loads(body)["wsgi.url_scheme"] == "http"
    assert plain.get("/environ").json()["SERVER_PROTOCOL"] == "HTTP/1.1"


def test_only_where_it_is_configured(serve):
    server = serve(APP)
    with raw.Connection(server.port) as connection:
        connection.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert b"HTTP/2" not in connection.read_to_end()


def test_many_requests_at_once(plain):
    with http2.Connection(plain.port) as connection:
        streams = [connection.request(f"/environ/{number}") for number in range(50)]
        for number, stream in enumerate(streams):
            status, _, body = connection.response(stream)
            assert (status, json.loads(body)["PATH_INFO"]) == (200, f"/{number}")


def test_content(plain):
    content = bytes(range(256)) * 300
    with http2.Connection(plain.port) as connection:
        stream = connection.request("/body?whole", method="POST", end=False)
        for at in range(0, len(content), 10000):
            while connection.h2.local_flow_control_window(stream) < 10000:
                connection.read()
            connection.h2.send_data(stream, content[at : at + 10000])
            connection.flush()
        connection.h2.end_stream(stream)
        connection.flush()
        _, _, body = connection.response(stream)
        assert json.loads(body) == {"pieces": [content.decode("latin-1")], "length": str(len(content))}
        stream = connection.request("/body?whole", method="POST", headers=[("content-length", "100001")], end=False)
        assert connection.response(stream)[0] == 413


def test_no_content_where_there_must_be_none(plain):
    with http2.Connection(plain.port) as connection:
        status, headers, body = connection.get("/hash/app.py", method="HEAD")
        assert (status, body) == (200, b"")
        assert int(dict(headers)["content-length"]) > 0
        status, headers, body = connection.get("/environ", method="HEAD")
        assert (status, body) == (200, b"")
        etag = dict(connection.get("/hash/app.py")[1])["etag"]
        status, headers, body = connection.get("/hash/app.py", headers=[("if-none-match", etag)])
        assert (status, body) == (304, b"")


def test_what_could_be_read_in_two_ways_is_refused(plain):
    for headers, authority in [
        ([("host", "other.example")], "localhost"),
        ([], "user@localhost"),
        ([("content-length", "0"), ("content-length", "0")], "localhost"),
        ([("host", "a b")], ""),
    ]:
        with http2.Connection(plain.port) as connection:
            if not authority:
                connection.name = ""
            assert connection.get("/environ", headers=headers, authority=authority)[0] == 400, headers
            # The others on the connection go on.
            connection.name = "localhost"
            assert connection.get("/environ")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        [("connection", "close")],
        [("transfer-encoding", "chunked")],
        [("te", "gzip")],
        [("Upper", "case")],
        [(":path", "/again")],
    ],
)
def test_what_is_malformed_resets_the_stream(plain, headers):
    with http2.Connection(plain.port) as connection:
        stream = connection.request("/environ", headers=headers)
        assert connection.wait((h2.events.StreamReset, http2.Goodbye))
        assert not connection.of(stream, h2.events.ResponseReceived)


def test_content_of_another_length_than_announced(plain):
    with http2.Connection(plain.port) as connection:
        stream = connection.request("/body?whole", method="POST", headers=[("content-length", "5")], body=b"123")
        reset = connection.wait((h2.events.StreamReset, http2.Goodbye))
        assert reset.error_code == h2.errors.ErrorCodes.PROTOCOL_ERROR
        assert not connection.of(stream, h2.events.ResponseReceived)


def test_the_name_in_the_handshake_counts(serve, authority):
    other = tls.Authority(authority.folder / "other")
    other.issue("local", "localhost")
    config = ""
    for name, folder in (("localhost", authority.folder), ("other.example", other.folder)):
        config += f"<VirtualHost *:*>\nServerName {name}\nSSLEngine On\nSSLCertificateFile {folder}/local.pem\n</VirtualHost>\n"
    server = serve(f"Protocols h2\n{APP}{config}")
    with http2.Connection(server.port, authority.context()) as connection:
        assert connection.get("/environ", authority="other.example")[0] == 421
        assert connection.get("/environ")[0] == 200


def test_limits_are_announced_and_kept(serve):
    server = serve(
        f"Protocols h2c\n{APP}H2MaxSessionStreams 5\nH2WindowSize 70000\nH2MaxHeaderBlockLen 3000\nLimitRequestFields 20\n"
    )
    with http2.Connection(server.port) as connection:
        connection.get("/environ")
        codes = h2.settings.SettingCodes
        settings = connection.h2.remote_settings
        assert settings[codes.MAX_CONCURRENT_STREAMS] == 5
        assert settings[codes.INITIAL_WINDOW_SIZE] == 70000
        assert settings[codes.MAX_HEADER_LIST_SIZE] == 3000
        assert connection.get("/environ", headers=[("x", "y" * 2000)])[0] == 200
        assert connection.get("/environ", headers=[("x", "y" * 3100)])[0] == 431
        assert connection.get("/environ", headers=[(f"x{n}", "") for n in range(25)])[0] == 431
        # One more than may be under way is refused, and may be tried again.
        connection.h2.remote_settings.acknowledge()
        connection.h2.remote_settings[codes.MAX_CONCURRENT_STREAMS] = 100
        connection.h2.remote_settings.acknowledge()
        streams = [connection.request("/body?whole", method="POST", end=False) for _ in range(6)]
        reset = connection.wait(h2.events.StreamReset)
        assert (reset.stream_id, reset.error_code) == (streams[-1], h2.errors.ErrorCodes.REFUSED_STREAM)


def test_rapid_reset(plain):
    """CVE-2023-44487: requests that are taken back at once."""
    with http2.Connection(plain.port) as connection:
        connection.get("/environ")
        ended = None
        for _ in range(2000):
            stream = connection.h2.get_next_available_stream_id()
            fields = [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/environ")]
            connection.h2.send_headers(stream, fields, end_stream=True)
            connection.h2.reset_stream(stream)
        connection.flush_quietly()
        ended = connection.wait(http2.Goodbye)
        assert ended.error_code == h2.errors.ErrorCodes.ENHANCE_YOUR_CALM
    assert plain.get("/environ").status_code == 200


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def test_continuation_flood(plain):
    """CVE-2024-27316: a head that does not end."""
    with http2.Connection(plain.port) as connection:
        connection.get("/environ")
        connection.socket.sendall(frame(1, 0, 101, b"\x82" * 100))
        with pytest.raises(OSError):
            for _ in range(5000):
                connection.socket.sendall(frame(9, 0, 101, b"\x40\x01a\x7f\x81\x01" + b"a" * 256))
    assert plain.get("/environ").status_code == 200


def test_ping_and_settings_floods_are_held_back(plain):
    """Frames that want an answer: a client that reads none gets no endless queue of them."""
    with http2.Connection(plain.port) as connection:
        connection.get("/environ")
        connection.socket.settimeout(1)
        flood = frame(6, 0, 0, b"12345678") * 500 + frame(4, 0, 0) * 500
        with pytest.raises(OSError):
            for _ in range(20000):
                connection.socket.sendall(flood)
    assert plain.get("/environ").status_code == 200


def test_an_idle_connection_is_told_to_end(serve):
    server = serve(f"Protocols h2c\n{APP}KeepAliveTimeout 200ms\n")
    with http2.Connection(server.port) as connection:
        assert connection.get("/environ")[0] == 200
        assert connection.wait(http2.Goodbye).error_code == h2.errors.ErrorCodes.NO_ERROR
        while connection.read() is not None:
            pass
    # One that does not even answer goes too.
    with http2.Connection(server.port) as connection:
        connection.get("/environ")
        while connection.socket.recv(65536):
            pass


def test_content_that_does_not_come(serve):
    server = serve(f"Protocols h2c\n{APP}Timeout 1\n")
    with http2.Connection(server.port) as connection:
        stream = connection.request("/body?whole", method="POST", body=b"a", end=False)
        assert connection.response(stream)[0] == 408


def test_a_client_that_takes_nothing(serve, tmp_path):
    (tmp_path / "large.bin").write_bytes(bytes(1 << 20))
    server = serve(f'Protocols h2c\n{APP}DocumentRoot "{tmp_path}"\nTimeout 1\n')
    with http2.Connection(server.port, window=100) as connection:
        connection.acknowledges = lambda event: False
        connection.request("/large.bin")
        while connection.read() is not None:
            pass
        assert connection.ended


def test_a_graceful_stop_finishes_what_is_under_way(serve):
    server = serve(f"Protocols h2c\n{APP}")
    with http2.Connection(server.port) as connection:
        stream = connection.request("/body?whole", method="POST", body=b"ab", end=False)
        connection.get("/environ")
        server.process.send_signal(signal.SIGWINCH)
        assert connection.wait(http2.Goodbye)
        connection.h2.send_data(stream, b"cd", end_stream=True)
        connection.flush()
        while not connection.of(stream, h2.events.StreamEnded) and connection.read() is not None:
            pass
        body = b"".join(event.data for event in connection.of(stream, h2.events.DataReceived))
        assert json.loads(body)["pieces"] == ["abcd"]
    assert server.process.wait(20) == 0


def test_a_request_taken_back_is_over(serve):
    """The scoreboard would else count it as running for ever, and the worker would be passed over."""
    server = serve(f"Protocols h2c\n{APP}StartServers 1\nThreadsPerChild 2\n")
    with http2.Connection(server.port) as connection:
        for _ in range(10):
            stream = connection.request("/body?whole", method="POST", body=b"a", end=False)
            connection.h2.reset_stream(stream)
            connection.flush()
            assert connection.get("/environ")[0] == 200
