"""A back end for a server to pass requests on to: it answers as a test tells it, byte by byte where need be."""
import json
import socket
import threading

from harness import raw


class Exchange:
    """One request a back end has got, and the socket to answer on."""

    def __init__(self, connection, reader, head):
        self.socket = connection
        self.reader = reader
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = first.split(" ")
        self.headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines if line]

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name):
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None

    def body(self):
        """All of the content."""
        if "chunked" in (self.one("Transfer-Encoding") or ""):
            return b"".join(iter(self.chunk, b""))
        return self.reader.read(int(self.one("Content-Length") or 0))

    def chunk(self):
        """The next chunk; empty at the end."""
        size = self.reader.readline()
        if not size:
            raise OSError("the content broke off")
        data = self.reader.read(int(size.split(b";")[0], 16))
        self.reader.readline()
        return data

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def respond(self, body=b"", status="200 OK", headers=()):
        body = body.encode() if isinstance(body, str) else body
        lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)


def echo(exchange):
    """What was asked, as JSON."""
    body = exchange.body()
    shown = {"method": exchange.method, "target": exchange.target, "headers": exchange.headers, "body": body.decode("latin-1")}
    exchange.respond(json.dumps(shown), headers=["Content-Type: application/json"])


class BackEnd:
    """Listens on construction; `answer(exchange)` is called in a thread of the connection, which ends when it returns True."""

    def __init__(self, answer=echo, *, path=None, port=0):
        self.answer = answer
        self.requests = []
        self.connections = 0
        self.open = set()
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
            self.listener.listen()
        else:
            self.listener = socket.create_server(("127.0.0.1", port))
            self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        reader = connection.makefile("rb")
        try:
            while True:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = reader.readline()
                    if not line:
                        return
                    head += line
                exchange = Exchange(connection, reader, head[:-4])
                self.requests.append(exchange)
                if self.answer(exchange):
                    return
        except OSError:
            pass
        finally:
            self.open.discard(connection)
            reader.close()
            connection.close()

    def stop(self):
        # The thread that accepts would go on with a socket that is only closed.
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def seen(response):
    """What the back end saw, where it echoes; a dictionary of its fields in lower case."""
    shown = json.loads(response.body if isinstance(response, raw.Response) else response.content)
    fields = {}
    for name, value in shown["headers"]:
        fields.setdefault(name.lower(), []).append(value)
    return shown, fields
