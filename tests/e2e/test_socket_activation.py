"""Addresses "systemd" and "systemd:NAME": sockets that the service manager listens on."""

import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest
from harness import cgi, daemon, fastcgi, processes, scgi, sockets
from harness.daemon import APPS

WRAPPER = os.path.join(os.path.dirname(__file__), "harness", "with_sockets.py")


@pytest.fixture
def place(tmp_path):
    os.chmod(tmp_path, 0o755)
    return tmp_path


def wrapped(*passed):
    return (sys.executable, WRAPPER, *passed, "--")


def refusal(place, *options, passed=None):
    """Status and line of a start that fails; `passed` are arguments of the wrapper."""
    command = wrapped(*passed) if passed else ()
    words = [*command, daemon.PROGRAM, "mirror", "--chdir", APPS, *options]
    done = subprocess.run(
        [*words, *daemon.common_options()],
        env=daemon.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.returncode, done.stderr


def get(path):
    return fastcgi.fetch(str(path), cgi.variables("/a"))


def test_a_name(start, place):
    passed = [f"web={place}/a", f"other={place}/b"]
    start("mirror", "--fastcgi", "systemd:web", command=wrapped(*passed))
    assert get(place / "a").status == 200
    # Nobody accepts on the other one.
    with sockets.connect(str(place / "b"), 0.2) as connection, pytest.raises(TimeoutError):
        connection.sendall(fastcgi.request(cgi.variables("/a")))
        connection.recv(1)


def test_all_of_a_name_listen(start, place):
    passed = [f"web={place}/a", f"s={place}/s", f"web={place}/b"]
    options = ("--fastcgi", "systemd:web", "--scgi", "systemd:s")
    running = start("mirror", *options, command=wrapped(*passed))
    running.wait_line("ready: .* on systemd:web, systemd:web, systemd:s")
    assert get(place / "a").status == 200 and get(place / "b").status == 200
    assert scgi.fetch(str(place / "s"), "/a").status == 200


def test_without_a_name(start, place):
    passed = [f"one={place}/a", f"two={place}/b"]
    start("mirror", "--fastcgi", "systemd", command=wrapped(*passed))
    assert get(place / "a").status == 200 and get(place / "b").status == 200


def test_the_pools_own_name_is_preferred(start, place):
    config = []
    for name in ("blog", "shop"):
        config += [f"[{name}]", "app = mirror", f"chdir = {APPS}", "fastcgi = systemd"]
        config += ["processes = 1", f"mount = /{name}"]
        config += ["allow-root = yes"] if os.geteuid() == 0 else []
        config += [f"env = {setting}" for setting in daemon.worker_env()]
    (place / "pycgid.conf").write_text("\n".join(config) + "\n")
    passed = [f"shop={place}/shop", f"blog={place}/blog"]
    running = start(None, config=str(place / "pycgid.conf"), command=wrapped(*passed))
    for name in ("blog", "shop"):
        running.wait_line(f'ready: pool "{name}"')
        answer = fastcgi.fetch(str(place / name), cgi.variables(f"/{name}/a"))
        assert json.loads(answer.body)["SCRIPT_NAME"] == f"/{name}"


def test_the_sockets_are_left_as_they_are(start, place):
    """Neither their rights nor their paths are ours, and they outlive the daemon."""
    passed = [f"web={place}/a"]
    running = start("mirror", "--fastcgi", "systemd:web", command=wrapped(*passed))
    os.chmod(place / "a", 0o604)
    inode = os.stat(place / "a").st_ino
    assert get(place / "a").status == 200
    running.stop()
    assert os.stat(place / "a").st_ino == inode
    assert os.stat(place / "a").st_mode & 0o777 == 0o604


def test_another_gateway_and_another_generation_keep_them(start, place):
    passed = [f"web={place}/a"]
    running = start("mirror", "--fastcgi", "systemd:web", command=wrapped(*passed))
    running.expect("gateway", "exited with status 0")
    processes.kill(running.gateway)
    running.wait_line("killed by signal 9")
    assert get(place / "a").status == 200
    running.signal(signal.SIGHUP)
    running.wait_line("reloaded|being replaced")
    assert get(place / "a").status == 200


def sockets_at(path):
    """What links of /proc/PID/fd say of sockets that are bound to a path."""
    with open("/proc/net/unix", encoding="ascii") as file:
        rows = [line.split() for line in file]
    found = {f"socket:[{row[6]}]" for row in rows if row[7:] == [str(path)]}
    assert found
    return found


def test_nobody_holds_more_of_them_than_it_needs(start, place):
    passed = [f"web={place}/a", f"unused={place}/b"]
    running = start("mirror", "--fastcgi", "systemd:web", command=wrapped(*passed))
    worker = running.only_worker()
    ours, others = sockets_at(place / "a"), sockets_at(place / "b")
    assert not (ours | others) & set(processes.open_files(worker))
    assert ours & set(processes.open_files(running.gateway))
    assert not others & set(processes.open_files(running.gateway))


def test_systemds_own_tool(start, place):
    tool = ("/usr/bin/systemd-socket-activate", "-l", f"{place}/a", "--fdname=web")
    options = ("--fastcgi", "systemd:web")
    running = daemon.Daemon("mirror", *options, command=(*tool, "-E", "PATH"))
    try:
        running.expect("^Listening on|^Communication attempt|^Exec(ut)?ing ")
        running.wait_line("Listening on")
        with sockets.connect(str(place / "a"), 20) as connection:
            connection.sendall(fastcgi.request(cgi.variables("/a")))
            assert b"Status: 200" in connection.recv(4096)
        running.wait_line("ready")
        running.stop()
    finally:
        running.kill()


@pytest.mark.parametrize(
    ("passed", "named"),
    [
        (None, "no sockets were passed .*LISTEN_FDS.* socket unit"),
        (["--pid", "1", "web={place}/a"], "those of process 1 .*LISTEN_PID"),
        (["web={place}/a", "b={place}/b"], 'no descriptor of that name; there are "web", "b"'),
        (["blog=datagram:{place}/a"], "not a listening stream socket"),
    ],
)
def test_what_cannot_be_had_is_said(place, passed, named):
    arguments = passed and [each.format(place=place) for each in passed]
    status, line = refusal(place, "--scgi", "systemd:blog", passed=arguments)
    assert status == 64 and line.count("\n") == 1
    assert re.search(r"^pycgid: cannot use systemd:blog: .*" + named, line), line
    assert 'option "scgi"' in line
    assert line.endswith(", or give another address, for instance unix:/run/pycgid.sock\n")


def test_an_inherited_descriptor_that_is_not_there_is_said_with_what_to_do(place):
    status, line = refusal(place, "--fastcgi", "fd:77")
    assert status == 64 and line == (
        'pycgid: cannot use fd:77: there is no descriptor 77 (option "fastcgi"); have the program '
        "that starts pycgid open it as descriptor 77, or give another address, for instance "
        "unix:/run/pycgid.sock\n"
    )
    status, line = refusal(place, "--fastcgi", "fd:0")
    assert status == 64 and "fd:0: it is not a listening stream socket (option" in line


def test_one_socket_for_two_addresses_is_refused(place):
    options = ("--scgi", "systemd:a", "--fastcgi", "systemd:a")
    status, line = refusal(place, *options, passed=[f"a={place}/a"])
    assert status == 64 and "already" in line


def test_the_check_needs_no_sockets():
    options = ("-t", "mirror", "--chdir", APPS, "--fastcgi", "systemd:web")
    done = daemon.run(*options, *daemon.common_options())
    assert done.returncode == 0, done.stderr


def test_tcp_too(start, place):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3); "
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); "
            "os.execv(sys.argv[2], sys.argv[2:])"
        )
        command = (sys.executable, "-c", code, str(listener.fileno()))
        running = start(
            "mirror", "--fastcgi", "systemd", command=command, pass_fds=[listener.fileno()]
        )
        assert fastcgi.fetch(("127.0.0.1", port), cgi.variables("/a")).status == 200
        running.stop()
