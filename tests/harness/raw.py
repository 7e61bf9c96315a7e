"""HTTP/1.1 over a bare socket, for what an HTTP library would not send or would not show."""
import socket
from dataclasses import dataclass

TIMEOUT_SECONDS = 20
BODYLESS = {204, 304}


@dataclass
class Response:
    status: int
    reason: str
    headers: list
    body: bytes
    head: bytes

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name):
        """The only value of a header; None when absent."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} sent {len(values)} times: {values}"
        return values[0] if values else None


class Connection:
    """A client connection that remembers bytes it has read too far."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def request(self, target, *, method="GET", headers=(), body=b"", host="localhost"):
        """Sends one well-formed request."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def get(self, target, **options):
        """Sends one request and reads its response."""
        self.request(target, **options)
        return self.response(options.get("method", "GET"))

    def response(self, method="GET"):
        """Reads one response as RFC 9112 section 6.3 frames it, interim responses left out."""
        while True:
            head = self.read_until(b"\r\n\r\n")
            status, reason, headers = parse_head(head)
            if status >= 200 or status == 101:
                break
        response = Response(status, reason, headers, b"", head)
        response.body = self._body(response, method)
        return response

    def _body(self, response, method):
        if method == "HEAD" or response.status in BODYLESS:
            return b""
        if "chunked" in (response.one("Transfer-Encoding") or "").lower():
            return b"".join(self.chunks())
        length = response.one("Content-Length")
        return self.read_exactly(int(length)) if length is not None else self.read_to_end()

    def chunks(self):
        """Yields the chunks of a chunked body as they arrive."""
        while True:
            size = int(self.read_until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                while self.read_until(b"\r\n") != b"\r\n":
                    pass
                return
            yield self.read_exactly(size)
            assert self.read_exactly(2) == b"\r\n"

    def read_until(self, end):
        while end not in self.buffer:
            self._more(f"the end of {self.buffer[:200]!r}")
        at = self.buffer.index(end) + len(end)
        taken, self.buffer = self.buffer[:at], self.buffer[at:]
        return taken

    def read_exactly(self, size):
        parts, have = [self.buffer], len(self.buffer)
        while have < size:
            data = self.socket.recv(1 << 20)
            if not data:
                raise EOFError(f"the server closed after {have} of {size} bytes")
            parts.append(data)
            have += len(data)
        data = b"".join(parts)
        self.buffer = data[size:]
        return data[:size]

    def read_to_end(self):
        """Everything up to the end of the connection; a reset counts as an end."""
        parts = [self.buffer]
        self.buffer = b""
        while True:
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            if not data:
                return b"".join(parts)
            parts.append(data)

    def _more(self, what):
        data = self.socket.recv(1 << 16)
        if not data:
            raise EOFError(f"the server closed before {what}")
        self.buffer += data


def parse_head(head):
    lines = head.decode("latin-1").split("\r\n")
    protocol, status, *reason = lines[0].split(" ", 2)
    assert protocol in {"HTTP/1.1", "HTTP/1.0"}, lines[0]
    headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if line]
    return int(status), "".join(reason), headers


def statuses(data):
    """The status of every response in a stretch of bytes; enough where bodies hold no status lines."""
    return [int(part.split(b" ", 1)[0]) for part in data.split(b"HTTP/1.1 ")[1:]]
