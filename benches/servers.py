"""The servers: how each one is started for a load, with no access log anywhere.

Alula runs all loads from one configuration with its own defaults. Peers may be tuned per load, and are: what was
tried and rejected stands beside the choice.
"""

import dataclasses
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable

import places

ALULA = "alula"
WSGI = frozenset({"hello", "echo", "django"})
FILES = frozenset({"files"})


@dataclasses.dataclass(frozen=True)
class Start:
    """What one start of a server needs to know."""

    load: object
    workers: int
    port: int
    folder: pathlib.Path  # for its configuration, logs and pid file; also its working directory
    alula: pathlib.Path

    @property
    def module(self):
        """The module that holds `application`, for servers that import by name."""
        return {"django": "benchsite.wsgi"}.get(self.load.app, self.load.app)

    @property
    def script(self):
        """The file that holds `application`, for servers that take a path."""
        if self.load.app == "django":
            return places.SITE / "benchsite" / "wsgi.py"
        return places.APPS / f"{self.load.app}.py"

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)


@dataclasses.dataclass(frozen=True)
class Server:
    name: str
    how: str
    command: Callable  # Start -> argument list
    serves: frozenset = WSGI
    workers: tuple = (1, 2)

    def environment(self):
        """A peer's Python is told here where the applications are; Alula has only its configuration."""
        return _plain_environment() if self.name == ALULA else application_environment()


def application_environment():
    return {**_plain_environment(), "PYTHONPATH": f"{places.APPS}{os.pathsep}{places.SITE}"}


def _plain_environment():
    """Ours, without what a developer's shell may say about Python."""
    named = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "DJANGO_SETTINGS_MODULE", "BENCH_URLCONF")
    return {name: value for name, value in os.environ.items() if name not in named}


def venv_tool(name):
    return str(places.VENV / "bin" / name)


def alula(start):
    config = start.write("alula.conf", f"""\
Listen 127.0.0.1:{start.port}
PidFile {start.folder}/alula.pid
ErrorLog {start.folder}/error.log
PythonHome {places.VENV}
StartServers {start.workers}
WSGIScriptAlias /wsgi/hello {places.APPS}/hello.py
WSGIScriptAlias /wsgi/echo {places.APPS}/echo.py
<Location "/dj">
    SetHandler python-program
    PythonHandler django.core.handlers.modpython
    PythonOption django.root /dj
    SetEnv DJANGO_SETTINGS_MODULE benchsite.settings
    PythonPath "['{places.SITE}'] + sys.path"
</Location>
Alias /files {places.FILES}
<Directory "{places.FILES}">
    Require all granted
</Directory>
<Directory "{places.APPS}">
    Require all granted
</Directory>
""")
    return [str(start.alula), "run", "-f", config]


def granian(*options):
    def command(start):
        words = [venv_tool("granian"), "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(start.port)]
        words += ["--workers", str(start.workers), "--log-level", "warning", *options]
        if start.load.app == "files":
            words += ["--static-path-route", "/files", "--static-path-mount", str(places.FILES)]
            return [*words, "hello:application"]
        return [*words, f"{start.module}:application"]

    return command


def bjoern(start):
    script = str(places.APPS / "serve_bjoern.py")
    return [venv_tool("python"), script, start.module, str(start.port), str(start.workers)]


def uwsgi(start):
    """A connection for each request: keepalive costs more through its router (48 against 14 µs for hello), and
    without the router each thread stays with one connection."""
    words = [venv_tool("uwsgi"), "--http-socket", f"127.0.0.1:{start.port}", "--add-header", "Connection: close"]
    words += ["--master", "--die-on-term", "--need-app"]
    words += ["--processes", str(start.workers), "--disable-logging", "--listen", "128", "--module", start.module]
    words += ["--virtualenv", str(places.VENV), "--single-interpreter"]
    if start.load.slow_path:
        words += ["--threads", "4"]
    return words


def gunicorn(start):
    """One thread in each worker, but where requests wait: more cost hellos at one worker."""
    threads = "4" if start.load.slow_path else "1"
    words = [venv_tool("gunicorn"), "--worker-class", "gthread", "--threads", threads, "--workers", str(start.workers)]
    words += ["--bind", f"127.0.0.1:{start.port}", "--log-level", "warning", "--worker-tmp-dir", str(start.folder)]
    return [*words, f"{start.module}:application"]


def mod_wsgi_daemon(start):
    """httpd in one process passes requests over a socket to N processes with Python; 1 thread was best at one worker."""
    threads = 4 if start.load.slow_path else 1
    return _httpd(start, servers=1, threads=40, python=f"""\
WSGIDaemonProcess bench processes={start.workers} threads={threads} home={start.folder} python-home={places.VENV} \
python-path={places.APPS}:{places.SITE}
WSGIProcessGroup bench
WSGIRestrictEmbedded On
""")


def mod_wsgi_embedded(start):
    """Python inside N httpd processes. With fewer threads than connections the event MPM cuts connections off."""
    return _httpd(start, servers=start.workers, threads=40, python=f"""\
WSGIPythonHome {places.VENV}
WSGIPythonPath {places.APPS}:{places.SITE}
""")


def _httpd(start, servers, threads, python):
    modules = pathlib.Path("/usr/lib/apache2/modules")
    config = start.write("httpd.conf", f"""\
ServerRoot {start.folder}
ServerName localhost
Listen 127.0.0.1:{start.port}
PidFile {start.folder}/httpd.pid
DefaultRuntimeDir {start.folder}
Mutex default:{start.folder}
WSGISocketPrefix {tempfile.gettempdir()}/bench-wsgi-{start.port}
ErrorLog {start.folder}/error.log
LogLevel error
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {mod_wsgi_library()}
ServerLimit {servers}
StartServers {servers}
ThreadLimit 64
ThreadsPerChild {threads}
MinSpareThreads 1
MaxSpareThreads {servers * threads + 1}
MaxRequestWorkers {servers * threads}
AsyncRequestWorkerFactor 16
MaxConnectionsPerChild 0
KeepAlive On
MaxKeepAliveRequests 0
{python}
WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias / {start.script}
<Directory "{start.script.parent}">
    Require all granted
</Directory>
""")
    words = [shutil.which("apache2") or "/usr/sbin/apache2", "-f", config, "-DFOREGROUND"]
    if os.geteuid() == 0:
        # httpd refuses to serve as root, and another user may not be able to read this checkout: in a user
        # namespace of its own it has a plain user's number and still our files.
        words = ["unshare", "--user", "--map-user=65534", "--", *words]
    return words


def mod_wsgi_library():
    """The one built for the virtualenv's Python, else the distribution's; prepare.py put one of them in place."""
    built = sorted(places.VENV.glob("lib/python3*/site-packages/mod_wsgi/server/mod_wsgi-py*.so"))
    return built[-1] if built else pathlib.Path("/usr/lib/apache2/modules/mod_wsgi.so")


def nginx(start):
    config = start.write("nginx.conf", f"""\
worker_processes {start.workers};
daemon off;
{"user root;" if os.geteuid() == 0 else ""}
pid {start.folder}/nginx.pid;
error_log {start.folder}/error.log error;
events {{ worker_connections 512; }}
http {{
    access_log off;
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    open_file_cache max=1000 inactive=60s;
    client_body_temp_path {start.folder}/body;
    proxy_temp_path {start.folder}/proxy;
    fastcgi_temp_path {start.folder}/fastcgi;
    uwsgi_temp_path {start.folder}/uwsgi;
    scgi_temp_path {start.folder}/scgi;
    server {{
        listen 127.0.0.1:{start.port};
        location /files/ {{ alias {places.FILES}/; }}
    }}
}}
""")
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    return [binary, "-p", str(start.folder), "-e", f"{start.folder}/error.log", "-c", config]


GRANIAN_TUNED = ("--blocking-threads", "1")
GRANIAN_ST = ("--runtime-mode", "st")

SERVERS = {
    server.name: server
    for server in (
        Server(ALULA, "one configuration for all loads, defaults", alula, WSGI | FILES, (1, 2, 4)),
        Server("granian", "defaults", granian(), WSGI | FILES, (1, 2, 4)),
        Server("granian-tuned", "`--blocking-threads 1`", granian(*GRANIAN_TUNED), WSGI, (1, 2, 4)),
        Server("granian-st", "as tuned, `--runtime-mode st`", granian(*GRANIAN_TUNED, *GRANIAN_ST), WSGI, (1,)),
        Server("bjoern", "forked workers, one listening socket", bjoern, WSGI),
        Server("uwsgi", "`--http-socket`, a connection per request; 4 threads in `mixed`", uwsgi, WSGI, (1, 2, 4)),
        Server("gunicorn", "`gthread`, 1 thread per worker; 4 in `mixed`", gunicorn, WSGI, (1, 2, 4)),
        Server("mod_wsgi-daemon", "Apache event, one thread per daemon process; 4 in `mixed`", mod_wsgi_daemon, WSGI),
        Server("mod_wsgi-embedded", "Apache event, 40 threads per process", mod_wsgi_embedded, WSGI),
        Server("nginx", "`sendfile on`, `open_file_cache`", nginx, FILES, (1,)),
    )
}
