"""A configuration file with pools."""

import os
import threading
import time

from . import cgi, fastcgi
from .daemon import APPS, worker_env


class Site:
    """A directory with a configuration file and the sockets of its pools."""

    def __init__(self, directory):
        os.chmod(directory, 0o755)
        self.directory = directory
        self.file = str(directory / "pycgid.conf")

    def socket(self, pool):
        return str(self.directory / f"{pool}.sock")

    def pool(self, name, app="mirror", **options):
        """The text of a pool; an option of None is left out."""
        known = {
            "app": app,
            "chdir": APPS,
            "fastcgi": f"unix:{self.socket(name)}",
            "processes": 1,
            "threads": 2,
            "allow-root": "yes" if os.geteuid() == 0 else None,
        }
        known.update({option.replace("_", "-"): value for option, value in options.items()})
        lines = [f"{option} = {value}" for option, value in known.items() if value is not None]
        lines += [f"env = {setting}" for setting in worker_env()]
        return "\n".join([f"[{name}]", *lines, ""])

    def wait_no_socket(self, pool, deadline=10):
        """Waits until the socket of a pool has gone: the log may tell of its cause before."""
        limit = time.monotonic() + deadline
        while os.path.exists(self.socket(pool)):
            assert time.monotonic() < limit, f"{self.socket(pool)} is still there"
            threading.Event().wait(0.01)

    def write(self, *parts):
        """Replaces the file by one move, as an administrator does who knows."""
        (self.directory / "new.conf").write_text("\n".join(parts))
        os.rename(self.directory / "new.conf", self.file)

    def line_of(self, text):
        """FILE:LINE of the first line that begins so."""
        with open(self.file, encoding="utf-8") as file:
            numbers = [number for number, line in enumerate(file, 1) if line.startswith(text)]
        return f"{self.file}:{numbers[0]}"

    def get(self, pool, path="/a"):
        return fastcgi.fetch(self.socket(pool), cgi.variables(path))
