"""A daemon with all its doors open, for front servers to choose one."""

from harness import sockets
from harness.daemon import Daemon


class Backend(Daemon):
    """Listens on Unix sockets and on TCP, for both protocols. Some front servers have workers of
    another user, so that everybody may connect. With an identity, it listens with TLS, too."""

    def __init__(self, app, *options, identity=None, client_ca=None, **more):
        self.fastcgi_port = sockets.free_port()
        self.scgi_port = sockets.free_port()
        for protocol, port in (("fastcgi", self.fastcgi_port), ("scgi", self.scgi_port)):
            options += (f"--{protocol}", f"unix:{{directory}}/{protocol}")
            options += (f"--{protocol}", f"127.0.0.1:{port}")
        if identity:
            options += self._tls_options(identity, client_ca)
        super().__init__(app, *options, "--socket-mode", "0666", **more)

    def _tls_options(self, identity, client_ca):
        self.tls_port = sockets.free_port()
        self.tls_scgi_port = sockets.free_port()
        options = ("--fastcgi", f"tls:127.0.0.1:{self.tls_port}")
        options += ("--scgi", f"tls:127.0.0.1:{self.tls_scgi_port}")
        options += ("--tls-certificate", identity.certificate, "--tls-key", identity.key)
        return options + (("--tls-client-ca", client_ca) if client_ca else ())
