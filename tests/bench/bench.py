"""What every measurement needs: the load generator's calls, and a pycgid that answers."""

import json
import subprocess
from pathlib import Path

import report
from servers import Pycgid

# Application: its module, and the bytes of its answer.
APPS = {"hello": ("hello", 14), "flask": ("flask_app", 20), "django": ("django_app", 20)}

# Mode: the load generator's protocol and options.
MODES = {"fcgi": ("fcgi", []), "kept": ("fcgi", ["--keep"]), "scgi": ("scgi", [])}


class Bench:
    """Holds the command line's choices and a directory for sockets and logs."""

    def __init__(self, args, directory):
        self.args = args
        self.directory = Path(directory)
        self.verdicts = report.Verdicts()

    def load_command(self, server, mode, *options):
        protocol, extra = MODES[mode]
        address = server.address(protocol)
        return [str(self.args.loadgen), "--protocol", protocol, *extra, *options, address]

    def load(self, server, mode, *options):
        command = self.load_command(server, mode, *options)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return json.loads(done.stdout)

    def start(self, server, app):
        module, expected = APPS[app]

        def probe():
            options = ("--connections", "1", "--requests", "1", "--expect", str(expected))
            return self.load(server, "fcgi", *options)["errors"] == 0

        server.start(module, probe)

    def place(self, name):
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        return directory

    def pycgid(self, threads, program=None, label="pycgid", **more):
        place = self.place(f"{label}-{threads}")
        label = f"{label}, {threads} thread{'s' if threads > 1 else ''}"
        return Pycgid(label, place, program or self.args.pycgid, threads, **more)
