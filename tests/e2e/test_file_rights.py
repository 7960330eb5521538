"""Rights of sockets, and logs in directories of a pool's user (issue 3, point 8). They run as root,
with users of Debian's that nobody is."""

import json
import os
import pwd
import signal
import socket
import stat

import pytest
from harness import daemon
from harness.real_users import FIRST, GATEWAY, SECOND, STRANGER, start_two_pools, two_pools


class Stranger:
    """A process of another user that tries to connect to whatever there is in a directory."""

    def __init__(self, directory):
        self._read, write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._read)
            entry = pwd.getpwnam(STRANGER)
            os.setgroups([])
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)
            signal.signal(signal.SIGTERM, lambda *_: self._end(write))
            self._seen, self._admitted = set(), set()
            known = set()
            while True:
                names = set(os.listdir(directory))
                for name in names - known:
                    self._try(os.path.join(directory, name))
                # One that is still being made has another name for a moment.
                known = {name for name in names if name.endswith(".sock")}
        os.close(write)

    def _try(self, path):
        """Refused for want of a listener is not refused for want of a right."""
        try:
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                return
            self._seen.add(path)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
            self._admitted.add(path)
        except (PermissionError, FileNotFoundError):
            pass
        except OSError:
            self._admitted.add(path)

    def _end(self, write):
        os.write(write, json.dumps([sorted(self._seen), sorted(self._admitted)]).encode())
        os._exit(0)

    def end(self):
        """The sockets that it has seen, and those that had a right for it."""
        os.kill(self._pid, signal.SIGTERM)
        with os.fdopen(self._read, "rb") as pipe:
            result = json.loads(pipe.read())
        os.waitpid(self._pid, 0)
        return result


def test_a_socket_never_has_other_rights(place, start):
    os.mkdir(place.path("run"))
    pool = place.pool("one", "mirror", user=FIRST, socket_group=SECOND)
    many = [f"fastcgi = unix:{place.path('run')}/{number}.sock" for number in range(300)]
    place.write(f"user = {GATEWAY}", pool, *many)
    stranger = Stranger(place.path("run"))
    try:
        for _ in range(3):
            running = start(None, config=place.file)
            running.stop()
    finally:
        seen, admitted = stranger.end()
    assert any(name.endswith(".sock") for name in seen) and admitted == []


def test_a_socket_belongs_to_its_pool(place, start):
    running, *_ = start_two_pools(place, start, socket_group=STRANGER, socket_mode="0620")
    one, two = os.stat(place.path("one.sock")), os.stat(place.path("two.sock"))
    assert stat.S_IMODE(one.st_mode) == 0o620 and stat.S_IMODE(two.st_mode) == 0o660
    assert one.st_uid == pwd.getpwnam(FIRST).pw_uid and two.st_uid == pwd.getpwnam(SECOND).pw_uid
    assert one.st_gid == pwd.getpwnam(STRANGER).pw_gid
    assert running.count("may not search") == 0


# --- logs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["file", "directory"])
def test_a_log_does_not_follow_the_link_of_a_user(place, link):
    """Whoever may write to the directory of a log could lead root to any file."""
    target = place.path("target")
    os.mkdir(target)
    logs = place.path("logs")
    os.mkdir(logs)
    os.chown(logs, pwd.getpwnam(FIRST).pw_uid, -1)
    path, made = {
        "file": ("logs/log", "logs/log"),
        "directory": ("logs/sub/log", "logs/sub"),
    }[link]
    os.symlink(target + "/log" if link == "file" else target, place.path(made))
    os.lchown(place.path(made), pwd.getpwnam(FIRST).pw_uid, -1)
    place.write(
        f"user = {GATEWAY}",
        place.pool("one", "mirror", user=FIRST, access_log=place.path(path)),
    )
    done = daemon.run("--config", place.file)
    assert done.returncode == 71 and "symbolic link" in done.stderr
    assert place.path(path) in done.stderr and '"access-log"' in done.stderr
    assert os.listdir(target) == []


def test_a_log_follows_the_link_of_root(place, start):
    os.mkdir(place.path("disk"))
    os.symlink(place.path("disk"), place.path("logs"))
    os.symlink("first", place.path("disk/log"))
    two_pools(place, access_log=place.path("logs/log"))
    running = start(None, config=place.file)
    assert place.post("one", b"").status == 200
    running.stop()
    with open(place.path("disk/first"), encoding="ascii") as file:
        assert "POST" in file.read()


def test_a_pipe_in_the_place_of_a_log_does_not_stop_the_master(place, start):
    log = place.path("log")
    running, *_ = start_two_pools(place, start, access_log=log)
    os.mkfifo(place.path("pipe"))
    os.rename(place.path("pipe"), log)
    running.wait_line(f'log "{log}" was moved or removed, and cannot be opened anew')
    assert place.post("one", b"").status == 200
