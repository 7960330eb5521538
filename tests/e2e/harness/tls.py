"""Certificates, made by the openssl command, and connections with TLS."""

import os
import ssl
import subprocess

from . import fastcgi, sockets
from .daemon import Daemon

# What reading raises at an end without close_notify.
CUT = (ssl.SSLError, ConnectionResetError)
# What strict verification, Python's default from 3.13 on, asks of one that signs.
SIGNS = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Identity:
    """A certificate and its key, as paths."""

    def __init__(self, directory, name):
        self.certificate = os.path.join(directory, f"{name}.pem")
        self.key = os.path.join(directory, f"{name}.key")


class Authority:
    """Issues certificates. Its own, which is to be trusted, is `path`."""

    def __init__(self, directory, name="authority"):
        self._directory = str(directory)
        self._own = Identity(self._directory, name)
        self.path = self._own.certificate
        openssl(
            *("req", "-x509", *KEY, "-keyout", self._own.key, "-out", self.path),
            *("-subj", f"/CN={name}", "-days", "30"),
            *(word for extension in SIGNS for word in ("-addext", extension)),
        )

    def issue(self, name, days=30, can_sign=False):
        """A certificate for host localhost, for servers and clients alike; one of 0 days expires
        as it is made (OpenSSL takes no negative number since 3.5)."""
        made = Identity(self._directory, name)
        request = os.path.join(self._directory, f"{name}.csr")
        extensions = os.path.join(self._directory, f"{name}.ext")
        with open(extensions, "w", encoding="ascii") as file:
            file.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
            file.write("subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
            if can_sign:
                file.write("\n".join(SIGNS) + "\n")
        openssl("req", "-new", *KEY, "-keyout", made.key, "-out", request, "-subj", f"/CN={name}")
        openssl(
            *("x509", "-req", "-in", request, "-CA", self.path, "-CAkey", self._own.key),
            *("-CAcreateserial", "-days", str(days), "-extfile", extensions),
            *("-out", made.certificate),
        )
        return made

    def intermediate(self, name):
        """An authority whose certificate this one has issued."""
        made = Authority.__new__(Authority)
        made._directory = self._directory
        made._own = self.issue(name, can_sign=True)
        made.path = made._own.certificate
        return made


def context(authority, identity=None, **settings):
    """What a client trusts, and what it shows of itself; `settings` are of ssl.SSLContext."""
    made = ssl.create_default_context(cafile=authority.path)
    made.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    if identity:
        made.load_cert_chain(identity.certificate, identity.key)
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def connect(port, client, timeout=10):
    """A socket behind its handshake. An end without close_notify raises ssl.SSLError."""
    plain = sockets.connect(("127.0.0.1", port), timeout)
    try:
        return client.wrap_socket(
            plain, server_hostname="localhost", suppress_ragged_eofs=False
        )
    except BaseException:
        plain.close()
        raise


def fastcgi_connection(port, client, timeout=10):
    return fastcgi.Connection(None, connected=connect(port, client, timeout))


def fetch(port, client, variables, body=b"", **options):
    """One FastCGI request over a connection of its own."""
    with fastcgi_connection(port, client) as connection:
        connection.send(fastcgi.request(variables, body, **options))
        return connection.answer(options.get("request_id", 1))


class TlsDaemon(Daemon):
    """A daemon with TLS listeners for both protocols, and plain ones on Unix sockets."""

    def __init__(self, app, identity, *options, **more):
        self.port = sockets.free_port()
        self.scgi_port = sockets.free_port()
        listeners = ("--fastcgi", f"tls:127.0.0.1:{self.port}")
        listeners += ("--scgi", f"tls:127.0.0.1:{self.scgi_port}")
        listeners += ("--fastcgi", "unix:{directory}/fastcgi")
        files = ("--tls-certificate", identity.certificate, "--tls-key", identity.key)
        super().__init__(app, *listeners, *files, *options, **more)
