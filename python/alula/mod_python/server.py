"""The server and the connection as a handler sees them (`req.server`, `req.connection`, `apache.main_server`).

What the configuration says comes from the engine once, as JSON, before anything of the site is imported. A server's tables
of options belong to the process: what one request writes there, the next one reads.
"""

import json
import os

import _alula

from alula import startup

from .table import mp_table


class mp_server:
    """A virtual host, or the main server."""

    def __init__(self, facts):
        self._options = mp_table(facts["options"])
        self._config = flags(facts)
        self._root = facts["server_root"]
        origin, _, line = (facts["origin"] or "").rpartition(":")
        if line and not origin.rpartition(":")[2].isdigit():
            origin, line = f"{origin}:{line}", ""
        elif line:
            origin, _, line = origin.rpartition(":")
        self.defn_name = origin or None
        self.defn_line_number = int(line) if line.isdigit() else 0
        self.server_admin = facts["admin"]
        self.server_hostname = facts["name"]
        self.names = tuple(name for name in facts["aliases"] if not set(name) & {"*", "?"})
        self.wild_names = tuple(name for name in facts["aliases"] if set(name) & {"*", "?"})
        self.port = facts["port"]
        self.error_fname = facts["error_log"]
        self.loglevel = facts["log_level"]
        self.is_virtual = facts["is_virtual"]
        self.timeout = facts["timeout"]
        self.keep_alive = facts["keep_alive"]
        self.keep_alive_timeout = facts["keep_alive_timeout"]
        self.keep_alive_max = facts["keep_alive_max"]
        self.path = None
        self.pathlen = 0
        self.limit_req_line = facts["request_line_bytes_max"]
        self.limit_req_fieldsize = facts["request_field_bytes_max"]
        self.limit_req_fields = facts["request_fields_max"]
        self._document_root = facts["document_root"]

    def get_options(self):
        """The `PythonOption`s written outside sections; what is changed stays changed in this process."""
        return self._options

    def get_config(self):
        return self._config

    def log_error(self, message, level=3):
        log(message, level)

    def register_cleanup(self, req, function, data=None):
        """Calls a function when this process ends."""
        import atexit

        if not callable(function):
            raise ValueError("first argument must be a callable object")
        atexit.register(function, data)


class mp_conn:
    """The connection a request came over."""

    def __init__(self, req):
        environ = req._environ
        self.base_server = req.server
        self.remote_ip = self.client_ip = environ["REMOTE_ADDR"]
        self.remote_addr = self.client_addr = (self.remote_ip, int(environ["REMOTE_PORT"]))
        self.local_ip = environ["SERVER_ADDR"]
        self.local_addr = (self.local_ip, req._local_port())
        self.remote_host = None
        self.remote_logname = None
        self.local_host = None
        self.aborted = False
        self.keepalive = 1
        self.keepalives = 0
        self.double_reverse = 0
        self.id = 0
        self.notes = mp_table()

    def log_error(self, message, level=3):
        log(message, level)


def flags(facts):
    """`get_config()`: the flags that were set, as "1" and "0", and the two texts among the directives."""
    config = mp_table()
    for name, key in (("PythonDebug", "debug"), ("PythonAutoReload", "auto_reload")):
        if facts.get(key) is not None:
            config[name] = "1" if facts[key] else "0"
    for name, key in (("PythonPath", "path"), ("PythonInterpreter", "interpreter")):
        if facts.get(key) is not None:
            config[name] = facts[key]
    return config


def log(message, level=3):
    """Writes to the error log. Levels are syslog's; the flag NOERRNO of old servers is let pass."""
    _alula.log_at(int(level) & 7, str(message))


_SERVERS = []


def server(number):
    """The server with this number; the main server is 0."""
    if not _SERVERS:
        _SERVERS.extend(mp_server(facts) for facts in json.loads(startup.servers))
    return _SERVERS[number]


def root():
    """`ServerRoot`."""
    return server(0)._root or os.sep
