"""A daemon with all its doors open, for front servers to choose one."""

from harness import sockets
from harness.daemon import Daemon


class Backend(Daemon):
    """Listens on Unix sockets and on TCP, for both protocols. Some front servers have workers of
    another user, so that everybody may connect."""

    def __init__(self, app, *options, **more):
        self.fastcgi_port = sockets.free_port()
        self.scgi_port = sockets.free_port()
        for protocol, port in (("fastcgi", self.fastcgi_port), ("scgi", self.scgi_port)):
            options += (f"--{protocol}", f"unix:{{directory}}/{protocol}")
            options += (f"--{protocol}", f"127.0.0.1:{port}")
        super().__init__(app, *options, "--socket-mode", "0666", **more)
