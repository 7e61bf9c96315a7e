"""HTTPS: certificates and how they are chosen, versions, clients' certificates, what applications and logs see."""
import json
import os
import re
import ssl
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import raw, tls, venvs, waiting

APP = 'WSGIScriptAlias / "@apps@/environ/app.py"\n'


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return tls.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def names(authority):
    for name in ("one", "two"):
        authority.issue(name, f"{name}.example", f"www.{name}.example")
    authority.issue("wild", "*.wild.example")
    authority.issue("local", "localhost")
    return authority


def pair(authority, name):
    return f'SSLCertificateFile "{authority.folder}/{name}.crt"\nSSLCertificateKeyFile "{authority.folder}/{name}.key"\n'


def engine(authority, name):
    return "SSLEngine On\n" + pair(authority, name)


@pytest.fixture(scope="module")
def site(names, serve_module):
    """Three virtual hosts by name; the second asks for certificates and the third is like the first."""
    return serve_module(
        f"""
{APP}
SSLOptions +StdEnvVars
LogFormat "%{{SSL_PROTOCOL}}x %{{SSL_TLS_SNI}}x %{{cipher}}c %H" tls
CustomLog tls.log tls
<VirtualHost *:*>
    ServerName one.example
    {engine(names, "one")}
</VirtualHost>
<VirtualHost *:*>
    ServerName two.example
    {engine(names, "two")}
    SSLVerifyClient require
    SSLCACertificateFile "{names.file}"
</VirtualHost>
<VirtualHost *:*>
    ServerName www.one.example
    {engine(names, "one")}
</VirtualHost>
<VirtualHost *:*>
    ServerName wild.example
    ServerAlias *.wild.example
    {engine(names, "wild")}
</VirtualHost>
"""
    )


def get(server, context, name, host=None, target="/"):
    with tls.Connection(server.port, context, name) as connection:
        return connection.names() if name else None, connection.get(target, host=host or name or "localhost")


def test_an_application_sees_https(site, names):
    shown, response = get(site, names.context(), "one.example")
    environ = json.loads(response.body)
    assert shown == ["one.example", "www.one.example"]
    assert environ["wsgi.url_scheme"] == environ["REQUEST_SCHEME"] == "https"
    assert environ["HTTPS"] == "on"
    assert environ["SERVER_PORT"] == "443"
    assert environ["SSL_PROTOCOL"] == "TLSv1.3"
    assert environ["SSL_TLS_SNI"] == "one.example"
    assert environ["SSL_CIPHER"].startswith("TLS_AES_")
    assert environ["SSL_CLIENT_VERIFY"] == "NONE"
    assert environ["SSL_SERVER_SAN_DNS_0"] == "one.example"
    assert environ["SSL_SERVER_A_KEY"] == "id-ecPublicKey"
    assert environ["SSL_SERVER_S_DN_O"] == "Alula"
    assert "SSL_SERVER_CERT" not in environ


def test_the_name_in_the_handshake_chooses_the_certificate(site, names):
    context = names.context()
    assert get(site, context, "a.wild.example")[0] == ["*.wild.example"]
    assert get(site, context, "www.one.example")[0] == ["one.example", "www.one.example"]
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for 'unknown.example'"):
        # Nobody's name: the first host shows its own.
        get(site, context, "unknown.example")


def test_a_request_for_another_host_is_misdirected(site, names):
    context = names.context()
    assert get(site, context, "one.example", "www.one.example")[1].status == 200
    assert get(site, context, "one.example", "two.example")[1].status == 421
    assert get(site, context, "one.example", "a.wild.example")[1].status == 421
    # Without a name in the handshake the first host's settings hold, and that one asks for no certificate.
    context.check_hostname = False
    assert get(site, context, None, "www.one.example")[1].status == 200
    assert get(site, context, None, "two.example")[1].status == 403


def test_the_log_has_the_variables(site, names):
    get(site, names.context(), "one.example")
    log = site.tmp / "tls.log"
    waiting.until(lambda: log.exists() and "TLSv1.3 one.example TLS_AES_" in log.read_text(), "the line")


def test_versions(serve, names):
    server = serve(APP + engine(names, "local") + "SSLProtocol all -TLSv1.3\nSSLOptions +StdEnvVars\n")
    with pytest.raises(ssl.SSLError):
        get(server, names.context(version=ssl.TLSVersion.TLSv1_3), "localhost")
    _, response = get(server, names.context(), "localhost")
    assert json.loads(response.body)["SSL_PROTOCOL"] == "TLSv1.2"
    assert json.loads(response.body)["SSL_CIPHER"] == "ECDHE-ECDSA-AES256-GCM-SHA384"


def test_rsa_and_ecdsa_side_by_side(serve, names):
    for key in ("rsa", "ecdsa"):
        names.issue(f"local-{key}", "localhost", key=key)
    server = serve(APP + "SSLEngine On\nSSLOptions +StdEnvVars\n" + pair(names, "local-rsa") + pair(names, "local-ecdsa"))
    context = names.context(version=ssl.TLSVersion.TLSv1_2)
    for cipher, kind in {"ECDHE+aRSA": "rsaEncryption", "ECDHE+aECDSA": "id-ecPublicKey"}.items():
        context.set_ciphers(cipher)
        _, response = get(server, context, "localhost")
        assert json.loads(response.body)["SSL_SERVER_A_KEY"] == kind


def test_the_key_may_be_in_the_certificate_file_and_the_chain_in_one_of_its_own(serve, names, tmp_path):
    between = names.ca.create_child_ca()
    leaf = names.issue("deep", "localhost", by=between)
    leaf_pem, chain = tmp_path / "leaf.pem", tmp_path / "chain.pem"
    leaf_pem.write_bytes(leaf.private_key_pem.bytes() + leaf.cert_chain_pems[0].bytes())
    chain.write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems[1:]))
    server = serve(APP + f'SSLEngine On\nSSLCertificateFile "{leaf_pem}"\nSSLCertificateChainFile "{chain}"\n')
    assert get(server, names.context(), "localhost")[1].status == 200


def test_plain_http_is_told_so(serve, names):
    server = serve(APP + engine(names, "local"))
    with raw.Connection(server.port) as connection:
        response = connection.get("/")
    assert response.status == 400
    assert b"speaking plain HTTP to an SSL-enabled server port" in response.body
    with raw.Connection(server.port) as connection:
        connection.send(b"\x00\x01garbage\r\n\r\n")
        assert connection.read_to_end() == b""


def test_plain_and_tls_side_by_side(serve, names):
    server = serve(
        f"""
{APP}
Listen 127.0.0.1:@second_port@ https
<VirtualHost *:@second_port@>
    {engine(names, "local")}
</VirtualHost>
<Location /secure>
    SSLRequireSSL
    Require all granted
    Satisfy Any
</Location>
<Location /by-rule>
    Require ssl
</Location>
"""
    )
    assert "HTTPS" not in server.get("/").json()
    assert server.get("/secure").status_code == 403
    assert server.get("/by-rule").status_code == 403
    with tls.Connection(server.second_port, names.context()) as connection:
        for target in ("/", "/secure", "/by-rule"):
            assert connection.get(target).status == 200
    assert f"https://127.0.0.1:{server.second_port}/" in server.log()


def test_clients_with_certificates(serve, names):
    stranger = tls.Authority(names.folder / "stranger")
    stranger.issue("stranger", "x@example.org", user="Eve")
    (names.folder / "stranger.pem").write_bytes((stranger.folder / "stranger.pem").read_bytes())
    names.issue("client", "ann@example.org", user="Ann")
    server = serve(
        APP
        + engine(names, "local")
        + f"""
SSLVerifyClient optional
SSLCACertificateFile "{names.file}"
SSLOptions +StdEnvVars +ExportCertData
<Location /members>
    Require ssl-verify-client
</Location>
"""
    )
    _, response = get(server, names.context(), "localhost")
    assert json.loads(response.body)["SSL_CLIENT_VERIFY"] == "NONE"
    assert get(server, names.context(), "localhost", target="/members")[1].status == 403
    _, response = get(server, names.context(client="client"), "localhost", target="/members")
    environ = json.loads(response.body)
    assert environ["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert environ["SSL_CLIENT_S_DN_CN"] == "Ann"
    assert environ["SSL_CLIENT_S_DN"].startswith("CN=Ann,OU=")
    assert environ["SSL_CLIENT_S_DN"].endswith(",O=Alula")
    assert environ["SSL_CLIENT_SAN_Email_0"] == "ann@example.org"
    assert environ["SSL_CLIENT_CERT"] == (names.folder / "client.crt").read_text()
    assert environ["SSL_CLIENT_V_END"].endswith(" GMT")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        get(server, names.context(client="stranger"), "localhost")


def test_no_connection_without_a_certificate_that_is_required(site, names):
    names.issue("client", "ann@example.org", user="Ann")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        get(site, names.context(), "two.example")
    assert get(site, names.context(client="client"), "two.example")[1].status == 200


@pytest.mark.parametrize(("depth", "passes"), [(0, False), (1, False), (2, True)])
def test_depth(serve, names, depth, passes):
    names.issue("distant", "bob@example.org", user="Bob", by=names.ca.create_child_ca())
    server = serve(
        APP + engine(names, "local")
        + f'SSLVerifyClient require\nSSLVerifyDepth {depth}\nSSLCACertificateFile "{names.file}"\n'
    )
    if passes:
        assert get(server, names.context(client="distant"), "localhost")[1].status == 200
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            get(server, names.context(client="distant"), "localhost")


def test_sessions_are_resumed_at_any_worker(serve, names):
    server = serve(APP + engine(names, "local") + "SSLOptions +StdEnvVars\nKeepAlive Off\n", workers=3)
    context = names.context(version=ssl.TLSVersion.TLSv1_2)
    session, pids = None, set()

    def resumed_by_two():
        nonlocal session
        with tls.Connection(server.port, context, session=session) as connection:
            environ = json.loads(connection.get("/").body)
            assert environ["SSL_SESSION_RESUMED"] == ("Resumed" if session else "Initial")
            session = connection.socket.session
            pids.add(environ["test.pid"])
        return len(pids) > 1

    waiting.until(resumed_by_two, "two workers to have answered")


def test_without_tickets(serve, names):
    server = serve(APP + engine(names, "local") + "SSLSessionTickets Off\n")
    context = names.context(version=ssl.TLSVersion.TLSv1_2)
    with tls.Connection(server.port, context) as connection:
        assert connection.get("/").status == 200
        assert not connection.socket.session.has_ticket
        session = connection.socket.session
    with tls.Connection(server.port, context, session=session) as connection:
        assert connection.get("/").status == 200
        assert connection.socket.session_reused


def test_a_graceful_restart_shows_the_new_certificate(serve, names):
    names.issue("renewed", "localhost", "old.example")
    server = serve(APP + engine(names, "renewed"))
    assert "old.example" in get(server, names.context(), "localhost")[0]
    names.issue("renewed", "localhost", "new.example")
    subprocess.run([venvs.BINARY, "-f", server.config, "-k", "graceful"], check=True, env=server.environment)
    waiting.until(lambda: "new.example" in get(server, names.context(), "localhost")[0], "the new certificate")


def test_a_restart_with_a_wrong_certificate_changes_nothing(serve, names):
    names.issue("kept", "localhost")
    server = serve(APP + engine(names, "kept"))
    (names.folder / "kept.key").write_bytes((names.folder / "one.key").read_bytes())
    done = subprocess.run(
        [venvs.BINARY, "-f", server.config, "-k", "graceful"], env=server.environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "was made for another key" in done.stderr
    assert get(server, names.context(), "localhost")[1].status == 200


def test_a_silent_client_is_let_go(serve, names):
    server = serve(APP + engine(names, "local") + "Timeout 1\n")
    with raw.Connection(server.port) as connection:
        assert connection.read_to_end() == b""
    with raw.Connection(server.port) as connection:
        connection.send(b"\x16\x03\x01")
        assert connection.read_to_end() == b""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up being root")
def test_only_root_need_read_the_key(serve, names):
    (names.folder / "local.key").chmod(0o600)
    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o755)
        (Path(root) / "page.txt").write_text("read by nobody")
        config = engine(names, "local") + f'DocumentRoot "{root}"\nUser nobody\nGroup nogroup\n'
        server = serve(config, python_home=False)
        with tls.Connection(server.port, names.context()) as connection:
            assert connection.get("/page.txt").body == b"read by nobody"


def check(tmp_path, text):
    path = tmp_path / "httpd.conf"
    path.write_text("Listen 127.0.0.1:1\nServerName one.example\n" + text)
    done = subprocess.run([venvs.BINARY, "-t", "-f", path], capture_output=True, text=True, timeout=20)
    return done.returncode, done.stderr


def test_wrong_certificates_are_found_before_the_start(tmp_path, names):
    folder = names.folder
    names.issue("expired", "one.example", days=-1)
    (folder / "encrypted.key").write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
    (folder / "empty.pem").write_text("nothing\n")
    one, two = f'SSLCertificateFile "{folder}/one.crt"', f'SSLCertificateKeyFile "{folder}/two.key"'
    for text, status, fact in [
        (f"SSLEngine On\n{one}\n{two}\n", 1, 'httpd.conf:4: SSLCertificateFile: the certificate in .* was made for another key'),
        (f"SSLEngine On\n{one}\n", 1, "httpd.conf:4: SSLCertificateFile: .* holds no key"),
        (f'SSLEngine On\nSSLCertificateFile "{folder}/empty.pem"\n', 1, "httpd.conf:4: .*holds no certificate in PEM"),
        (f'SSLEngine On\n{one}\nSSLCertificateKeyFile "{folder}/encrypted.key"\n', 1, "httpd.conf:5: .*has a pass phrase"),
        (f'SSLEngine On\nSSLCertificateFile "{folder}/expired.pem"\n', 0, "warning: .*httpd.conf:4: .*expired on "),
        (engine(names, "two"), 0, 'warning: .*does not name the server "one.example"'),
        (engine(names, "one"), 0, "^Syntax OK$"),
    ]:
        code, said = check(tmp_path, text)
        assert code == status, said
        assert re.search(fact, said, re.MULTILINE), said
