"""Requests that two servers might read differently are refused with 400 and a closed connection.

Each case is followed by a second request on the same connection, as an attacker would smuggle it; it must never be
answered.
"""
import pytest

from harness import raw

SMUGGLED = "GET /hello?smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
POST = "POST /hash HTTP/1.1\r\nHost: x\r\n"

REFUSED = {
    "transfer-encoding and content-length": f"{POST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "content-length and transfer-encoding": f"{POST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": f"{POST}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "two equal lengths": f"{POST}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": f"{POST}Content-Length: 3, 3\r\n\r\nabc",
    "a length with a sign": f"{POST}Content-Length: +3\r\n\r\nabc",
    "a negative length": f"{POST}Content-Length: -1\r\n\r\nabc",
    "a length in hexadecimal": f"{POST}Content-Length: 0x3\r\n\r\nabc",
    "an empty length": f"{POST}Content-Length: \r\n\r\nabc",
    "a length that overflows": f"{POST}Content-Length: 99999999999999999999\r\n\r\nabc",
    "an unknown transfer coding": f"{POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "identity": f"{POST}Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked twice": f"{POST}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": f"{POST}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "transfer-encoding in 1.0": "POST /hash HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk size with a prefix": f"{POST}Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    "a chunk size that is no number": f"{POST}Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "a negative chunk size": f"{POST}Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
    "a chunk size that overflows": f"{POST}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "a chunk longer than its size": f"{POST}Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    "chunk lines with a bare line feed": f"{POST}Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n",
    "bare line feeds": "GET /hello HTTP/1.1\nHost: x\n\n",
    "a bare line feed between fields": "GET /hello HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n",
    "a bare carriage return in a value": "GET /hello HTTP/1.1\r\nHost: x\r\nX-A: a\rb\r\n\r\n",
    "a folded field": "GET /hello HTTP/1.1\r\nHost: x\r\nX-A: a\r\n b\r\n\r\n",
    "a first field that is folded": "GET /hello HTTP/1.1\r\n Host: x\r\nHost: x\r\n\r\n",
    "a blank before the colon": "GET /hello HTTP/1.1\r\nHost: x\r\nX-A : b\r\n\r\n",
    "a field without a colon": "GET /hello HTTP/1.1\r\nHost: x\r\nX-A\r\n\r\n",
    "a field without a name": "GET /hello HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
    "a NUL in a value": "GET /hello HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n",
    "no Host": "GET /hello HTTP/1.1\r\nX-A: b\r\n\r\n",
    "two Hosts": "GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "two equal Hosts": "GET /hello HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
    "an empty Host": "GET /hello HTTP/1.1\r\nHost: \r\n\r\n",
    "a Host with a blank": "GET /hello HTTP/1.1\r\nHost: x y\r\n\r\n",
    "a Host with a path": "GET /hello HTTP/1.1\r\nHost: x/y\r\n\r\n",
    "two blanks in the request line": "GET  /hello HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tab in the request line": "GET\t/hello HTTP/1.1\r\nHost: x\r\n\r\n",
    "a protocol in small letters": "GET /hello http/1.1\r\nHost: x\r\n\r\n",
    "another protocol": "GET /hello HTTX/1.1\r\nHost: x\r\n\r\n",
    "a target that is no path": "GET hello HTTP/1.1\r\nHost: x\r\n\r\n",
    "a bad escape in the path": "GET /hello%zz HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path above the root": "GET /../hello HTTP/1.1\r\nHost: x\r\n\r\n",
    "a fragment": "GET /hello#x HTTP/1.1\r\nHost: x\r\n\r\n",
    "something that is not HTTP": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.fixture(scope="module")
def server(serve_module):
    return serve_module('WSGIScriptAlias /hello "@apps@/hello/app.py"\nWSGIScriptAlias /hash "@apps@/hash/app.py"')


@pytest.mark.parametrize("case", REFUSED)
def test_refused(server, case):
    with server.connect() as connection:
        connection.send(REFUSED[case] + SMUGGLED)
        data = connection.read_to_end()
    assert raw.statuses(data) == [400], data
    assert "smuggled" not in server.access_log.read_text()


ACCEPTED = {
    "a chunk extension": f"{POST}Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n",
    "a trailer": f"{POST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-A: b\r\n\r\n",
    "a coding in capitals": f"{POST}Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "blanks around a value": f"{POST}Content-Length: \t 3 \r\n\r\nabc",
    "eight-bit values": "GET /hello HTTP/1.1\r\nHost: x\r\nX-A: caf\xe9\r\n\r\n",
    "an underscore in the Host": "GET /hello HTTP/1.1\r\nHost: a_b\r\n\r\n",
    "a port in the Host": "GET /hello HTTP/1.1\r\nHost: x:80\r\n\r\n",
    "an IPv6 Host": "GET /hello HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
    "a whole URL": "GET http://x/hello HTTP/1.1\r\nHost: y\r\n\r\n",
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted(server, case):
    with server.connect() as connection:
        connection.send(ACCEPTED[case])
        assert connection.response().status == 200
        assert connection.get("/hello").status == 200
