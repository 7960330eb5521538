"""A daemon whose configuration is written anew and read again."""

import json
import select
import signal
import time

from . import cgi, fastcgi
from .daemon import APPS
from .fastcgi import KEEP
from .gate import Gate
from .site import Site

APPLICATION = """
import os
from gate_client import wait_at_gate

def application(environ, start_response):
    if environ["PATH_INFO"] == "/wait":
        wait_at_gate("wait")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [" ".join(["VERSION", os.environ.get("COLOUR", "-"), environ["SCRIPT_NAME"]]).encode()]
"""
FEW = {"params_timeout": "60s", "status_path": "/-/status"}


class RereadSite(Site):
    """Pools of applications that tell their version, option env and mount."""

    def __init__(self, directory):
        super().__init__(directory)
        self.gate = Gate(directory)
        self.deploy("one")
        self.deploy("two")
        (directory / "broken.py").write_text("raise RuntimeError('broken on purpose')\n")

    def deploy(self, name):
        (self.directory / f"{name}.py").write_text(APPLICATION.replace("VERSION", name))

    def pool(self, name, app="one", **options):
        fixed = {"chdir": self.directory, "pythonpath": APPS, **FEW}
        text = super().pool(name, app, **fixed, **options)
        return f"{text}env = GATE={self.gate.path}\n"

    def connect(self, pool):
        return fastcgi.Connection(self.socket(pool))

    def text(self, pool, path="/"):
        answer = self.get(pool, path)
        assert answer.status == 200, answer
        return answer.body.decode()

    def status(self, pool, over=None):
        variables = cgi.variables("/-/status", query="json")
        if over is None:
            return json.loads(fastcgi.fetch(self.socket(pool), variables).body)
        over.send(fastcgi.request(variables, flags=KEEP))
        return json.loads(over.answer().body)


class Running:
    """A daemon whose file is written anew and read again."""

    def __init__(self, start, site, *parts):
        self.site = site
        site.write(*parts)
        self.daemon = start(None, config=site.file)
        for name in [part.split("]")[0][1:] for part in parts if part.startswith("[")]:
            self.daemon.wait_line(f'ready: pool "{name}"')

    def reread(self, *parts, lines, over=None):
        """Waits for all of the lines, and until the gateway has heard of what they tell; its status
        is asked on connection `over`, or on new ones. Returns a mark from before the lines."""
        self.site.write(*parts)
        mark = self.daemon.mark()
        self.daemon.signal(signal.SIGHUP)
        for line in lines:
            found = self.daemon.wait_line(line, 20, since=mark)
            if "generation" in found.groupdict():
                self.wait_generation(found["pool"], int(found["generation"]), over)
        return mark

    def wait_generation(self, pool, generation, over):
        while self.site.status(pool, over)["generation"] < generation:
            pass


def reloaded(pool, generation=r"\d+"):
    line = f'notice .*reloaded pool "(?P<pool>{pool})": generation (?P<generation>{generation})'
    return line + " serves"


def ask(connection, path="/"):
    connection.send(fastcgi.request(cgi.variables(path), flags=KEEP))
    return connection.answer().body.decode()


def wait_for(condition, deadline=10):
    """Looks again and again, as there is nothing to wait for at a file."""
    limit = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < limit
        select.select([], [], [], 0.01)
