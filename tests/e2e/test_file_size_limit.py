"""Under a limit of a file's size (ulimit -f) what is too large is an error of that write, and the
end of nobody."""

import os
import re
import subprocess

import pytest
from harness import daemon, processes
from harness.daemon import Daemon

APPLICATION = """
import signal
import subprocess

def application(environ, start_response):
    shell = subprocess.run(["grep", "SigIgn", "/proc/self/status"], capture_output=True, text=True)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [shell.stdout.encode()]
"""
BLOCK = 512
LIMIT = ["sh", "-c", 'ulimit -f {blocks} && exec "$@"', "sh"]
PATTERN = 'error .*answered 503: .*"[^"]*/tmp": File too large \\(option "temp-dir"\\)'


def limited(mebibytes):
    return [word.replace("{blocks}", str((mebibytes << 20) // BLOCK)) for word in LIMIT]


def test_a_body_beyond_it_is_answered_as_on_a_full_disk(start):
    options = ("--fastcgi", "unix:{directory}/fastcgi", "--body-buffer", "16K")
    running = start("mirror", *options, command=limited(16))
    gateway = running.gateway
    answer = running.post("/digest", bytes(20 << 20))
    assert answer.status == 503 and answer.header("Retry-After")
    running.wait_line(PATTERN)
    assert running.post("/digest", bytes(1 << 20)).status == 200
    assert running.gateway == gateway


def test_a_channel_beyond_it_is_an_error_of_the_system(tmp_path):
    """That of so many threads has more than a megabyte."""
    words = [daemon.PROGRAM, "-t", "mirror", "--chdir", daemon.APPS, "--threads", "64"]
    words += ["--fastcgi", f"unix:{tmp_path}/socket", *daemon.common_options()]
    done = subprocess.run(
        [*limited(1), *words], env=daemon.environment(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=30 * daemon.SLOWNESS, check=False,
    )  # fmt: skip
    assert done.returncode == 71, done.stderr
    assert "cannot create the channel of a worker: File too large" in done.stderr


@pytest.mark.parametrize("option", ["log", "access-log"])
def test_a_log_beyond_it_loses_lines_and_nobody(option, tmp_path):
    os.chmod(tmp_path, 0o755)
    path = tmp_path / "full.log"
    path.write_bytes(b"x" * (16 << 20))
    options = ("--fastcgi", "unix:{directory}/fastcgi", f"--{option}", str(path))
    running = Daemon("mirror", *options, command=limited(16))
    try:
        assert processes.wait_until(lambda: os.path.exists(running.path("fastcgi")), 20)
        running.expect(r"cannot write the (access )?log")
        assert running.get("/a").status == 200
        running.wait_line(r"cannot write the (access )?log.*: File too large")
        assert running.get("/a").status == 200
        running.stop()
        assert path.stat().st_size == 16 << 20
    finally:
        running.kill()


def test_what_the_application_starts_has_the_defaults(start, tmp_path):
    os.chmod(tmp_path, 0o755)
    (tmp_path / "ignoring.py").write_text(APPLICATION)
    running = start("ignoring", chdir=str(tmp_path))
    ignored = int(re.search(r"SigIgn:\s*([0-9a-f]+)", running.get("/").body.decode())[1], 16)
    xfsz = 25
    assert ignored & 1 << (xfsz - 1) == 0
