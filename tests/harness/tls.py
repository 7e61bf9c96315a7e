"""Certificates made for one test, and TLS clients that say what they were shown."""
import contextlib
import datetime
import socket
import ssl

import trustme

from harness import raw

KEY_TYPES = {"rsa": trustme.KeyType.RSA, "ecdsa": trustme.KeyType.ECDSA}


class Authority:
    """A certificate authority that signs for servers and clients, and files of what it signed."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(self.file)

    def issue(self, name, *names, key="ecdsa", days=None, user=None, by=None):
        """Writes NAME.crt (with its chain), NAME.key and NAME.pem (both)."""
        until = days and datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
        leaf = (by or self.ca).issue_cert(
            *names, common_name=user, organization_name="Alula", key_type=KEY_TYPES[key], not_after=until
        )
        chain = b"".join(part.bytes() for part in leaf.cert_chain_pems)
        (self.folder / f"{name}.crt").write_bytes(chain)
        leaf.private_key_pem.write_to_path(self.folder / f"{name}.key")
        leaf.private_key_and_cert_chain_pem.write_to_path(self.folder / f"{name}.pem")
        return leaf

    def context(self, *, client=None, alpn=None, version=None):
        """What a client trusts and shows."""
        context = ssl.create_default_context(cafile=self.file)
        if client:
            context.load_cert_chain(self.folder / f"{client}.pem")
        if alpn:
            context.set_alpn_protocols(alpn)
        if version:
            context.minimum_version = context.maximum_version = version
        return context


class Connection(raw.Connection):
    """HTTP/1.1 over TLS; `name` is what the client asks for in the handshake, None for nothing."""

    def __init__(self, port, context, name="localhost", session=None):
        plain = socket.create_connection(("127.0.0.1", port), timeout=raw.TIMEOUT_SECONDS)
        context.check_hostname = name is not None
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(plain.close)
            self.socket = context.wrap_socket(plain, server_hostname=name, session=session)
            cleanup.pop_all()
        self.buffer = b""
        self.host = name

    def names(self):
        """The DNS names in the certificate shown."""
        return [value for _, value in self.socket.getpeercert()["subjectAltName"]]
