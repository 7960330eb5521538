"""Runs a systemd of the test's own, as a user's manager, where nobody else sees it. To be process 1
of a pid namespace with a mount namespace: nothing survives it. Says "running" on standard output.

usage: with_systemd.py CGROUP
CGROUP is the name of a control group that the caller removes.
"""

import os
import socket
import subprocess
import sys


def hierarchies():
    """Where systemd's own control groups are, as directories: one, or two in hybrid set-ups."""
    mounts = {}
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            fields, _, more = line.partition(" - ")
            kind, _, options = more.split()[:3]
            if kind == "cgroup2" or "name=systemd" in options.split(","):
                mounts["" if kind == "cgroup2" else "name=systemd"] = fields.split()[4]
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if controllers in mounts:
                yield mounts[controllers] + path


def main():
    for directory in list(hierarchies()):
        path = os.path.join(directory, sys.argv[1])
        os.mkdir(path)
        with open(os.path.join(path, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write("0")
    for directory in ("/run", "/srv"):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", directory], check=True)
    for directory in ("/run/systemd/system", "/run/user/systemd/user", "/run/home"):
        os.makedirs(directory)
    os.chmod("/run/user", 0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as news:
        news.bind("/run/news")
        news.settimeout(30)
        own = {"XDG_RUNTIME_DIR": "/run/user", "HOME": "/run/home", "NOTIFY_SOCKET": "/run/news"}
        words = ["/lib/systemd/systemd", "--user", "--unit=basic.target"]
        subprocess.Popen(words, env={**os.environ, **own}, stdout=sys.stderr)
        while b"READY=1" not in news.recv(4096).split(b"\n"):
            pass
    # What the system's own manager would have made, for units that hide files.
    os.symlink("/run/user/systemd/inaccessible", "/run/systemd/inaccessible")
    print("running", flush=True)
    sys.stdin.read()  # until the test is over


if __name__ == "__main__":
    main()
