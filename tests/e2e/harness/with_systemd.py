"""Runs a systemd of the test's own, the system's manager of nothing but the test's units, where
nobody else sees it (a user's manager would put each hardened unit into a namespace with one user).
To be process 1 of namespaces of processes, mounts and names: nothing survives it. Says "running" on
standard output.

usage: with_systemd.py CGROUP
CGROUP is the name of a control group that the caller removes.
"""

import os
import signal
import socket
import subprocess
import sys

UNITS = "/run/systemd/system"


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
    # Whatever a unit makes is made in places of the test's own.
    for directory in ("/run", "/srv", "/tmp", "/var/tmp", "/var/log"):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", directory], check=True)
    os.makedirs(UNITS)
    for target in ("basic", "network", "nss-user-lookup", "shutdown", "sockets", "sysinit"):
        with open(f"{UNITS}/{target}.target", "w", encoding="ascii") as file:
            file.write("[Unit]\nDefaultDependencies=no\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as news:
        news.bind("/run/news")
        if os.fork():
            run_systemd()
        wait_until_over(news)


def run_systemd():
    """None of the machine's own units is started, so that nothing is done to the machine."""
    own = {"container": "test", "NOTIFY_SOCKET": "/run/news", "SYSTEMD_UNIT_PATH": UNITS}
    own["SYSTEMD_GENERATOR_PATH"] = own["SYSTEMD_ENVIRONMENT_GENERATOR_PATH"] = "/run/none"
    os.dup2(2, 1)
    words = ["systemd", "--system", "--unit=basic.target", "--log-target=null"]
    os.execve("/lib/systemd/systemd", [*words, "--show-status=no"], {**os.environ, **own})


def wait_until_over(news):
    news.settimeout(30)
    while b"READY=1" not in news.recv(4096).split(b"\n"):
        pass
    print("running", flush=True)
    sys.stdin.read()  # until the test is over
    os.kill(1, signal.SIGRTMIN + 14)  # Process 1 ends at once, and everybody with it.


if __name__ == "__main__":
    main()
