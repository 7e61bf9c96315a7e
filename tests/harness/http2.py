"""An HTTP/2 client that shows frames' effects, for what an HTTP library would not do."""
import socket
from dataclasses import dataclass

import h2.config
import h2.connection
import h2.events
import h2.settings

from harness import raw

GOAWAY = 7


@dataclass
class Goodbye:
    """GOAWAY (RFC 9113 section 6.8)."""

    error_code: int


class Connection:
    """One connection; over TLS when a context is given, else with prior knowledge."""

    def __init__(self, port, context=None, name="localhost", *, window=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=raw.TIMEOUT_SECONDS)
        self.scheme = "http"
        if context:
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(self.socket, server_hostname=name)
            self.scheme = "https"
            assert self.socket.selected_alpn_protocol() == "h2"
        config = h2.config.H2Configuration(
            header_encoding="latin-1", validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        if window is not None:
            self.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.name = name
        self.events = []
        self.buffer = b""
        self.ended = False
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def request(self, path="/", *, method="GET", headers=(), body=None, authority=None, end=True):
        """Sends one request and returns its stream."""
        stream = self.h2.get_next_available_stream_id()
        pseudo = {":method": method, ":scheme": self.scheme, ":authority": authority or self.name, ":path": path}
        fields = [(name, value) for name, value in pseudo.items() if value != ""] + list(headers)
        self.h2.send_headers(stream, fields, end_stream=end and body is None)
        if body is not None:
            self.h2.send_data(stream, body, end_stream=end)
        self.flush()
        return stream

    def read(self):
        """Takes what has come; returns the new events, None at the end of the connection."""
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.ended = True
            return None
        self.buffer += data
        events = []
        try:
            for frame in self.frames():
                if frame[3] == GOAWAY:
                    # The library would take nothing more, and the server goes on.
                    events.append(Goodbye(int.from_bytes(frame[13:17], "big")))
                else:
                    events += self.h2.receive_data(frame)
        finally:
            self.flush_quietly()
        self.events += events
        for event in events:
            if isinstance(event, h2.events.DataReceived):
                if self.acknowledges(event):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.flush_quietly()
        return events

    def frames(self):
        while len(self.buffer) >= 9:
            length = 9 + int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < length:
                return
            frame, self.buffer = self.buffer[:length], self.buffer[length:]
            yield frame

    def acknowledges(self, event):
        return True

    def flush_quietly(self):
        try:
            self.flush()
        except OSError:
            pass

    def of(self, stream, kind):
        return [event for event in self.events if isinstance(event, kind) and event.stream_id == stream]

    def wait(self, kind, stream=None):
        """Waits for an event; returns it, or None when the connection ends first."""
        while True:
            for event in self.events:
                if isinstance(event, kind) and stream in (None, getattr(event, "stream_id", None)):
                    return event
            if self.read() is None:
                return None

    def response(self, stream):
        """The status, the headers and the content of a stream's response."""
        while not self.of(stream, (h2.events.StreamEnded, h2.events.StreamReset)):
            assert self.read() is not None, "the connection ended before the response"
        # A server that has answered takes no more of the request (RFC 9113 section 8.1).
        resets = self.of(stream, h2.events.StreamReset)
        assert not any(reset.error_code for reset in resets), resets
        headers = self.of(stream, h2.events.ResponseReceived)[0].headers
        body = b"".join(event.data for event in self.of(stream, h2.events.DataReceived))
        return int(dict(headers)[":status"]), headers, body

    def get(self, path="/", **options):
        return self.response(self.request(path, **options))
