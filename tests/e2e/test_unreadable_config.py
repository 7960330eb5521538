"""Files that cannot be read as a configuration, and a master that runs short while it reads one:
what is wrong is said, and what serves goes on serving."""

import os
import resource
import signal

import pytest
from harness import daemon
from harness.reread import RereadSite, Running, reloaded

CONFIGURATION = 78


@pytest.fixture
def site(tmp_path):
    made = RereadSite(tmp_path)
    os.mkdir(tmp_path / "pools.d")
    yield made
    made.gate.close()


def put_directory(path):
    os.mkdir(path)
    return "Is a directory"


def put_pipe(path):
    os.mkfifo(path)
    return "it is not a regular file"


def put_device(path):
    os.symlink("/dev/zero", path)
    return "it is not a regular file"


def put_dying_file(path):
    """Its first byte cannot be read: EIO."""
    os.symlink("/proc/self/mem", path)
    return "Input/output error"


def put_endless_file(path):
    with open(path, "wb") as file:
        file.truncate(1 << 40)
    return "it is larger than 1M"


def put_zeros(path):
    path.write_bytes(b"[shop]\nchdir = /srv\0/etc\n")
    return "NUL"


KINDS = [put_directory, put_pipe, put_device, put_dying_file, put_endless_file, put_zeros]


@pytest.mark.parametrize("put", KINDS)
def test_what_cannot_be_read_leaves_the_running_daemon_as_it_is(start, site, put):
    running = Running(start, site, "include = pools.d/*.conf", site.pool("blog"))
    bad = site.directory / "pools.d/bad.conf"
    why = put(bad)
    mark = running.daemon.mark()
    running.daemon.signal(signal.SIGHUP)
    running.daemon.wait_line(f"error .*reload failed: .*{why}.*stays in force", since=mark)
    assert site.text("blog") == "one - "
    os.rename(bad, site.directory / "bad")
    running.daemon.signal(signal.SIGHUP)
    running.daemon.wait_line(reloaded("blog"), 20, since=mark)
    if os.path.isdir(site.directory / "bad"):
        os.rmdir(site.directory / "bad")
    else:
        os.unlink(site.directory / "bad")


@pytest.mark.parametrize("put", KINDS)
def test_what_cannot_be_read_is_refused_at_the_start(site, put):
    site.write("include = pools.d/*.conf", site.pool("blog"))
    why = put(site.directory / "pools.d/bad.conf")
    done = daemon.run("--config", site.file)
    assert done.returncode == CONFIGURATION and done.stderr.count("\n") == 1
    assert "pools.d/bad.conf" in done.stderr and why in done.stderr


@pytest.mark.skipif(daemon.SLOWNESS > 1, reason="a sanitizer needs the whole address space")
def test_a_master_without_memory_for_a_reload_goes_on(start, site):
    running = Running(start, site, site.pool("blog"))
    master = running.daemon.process.pid
    comments = "# " + "x" * 100 + "\n"
    site.write(site.pool("blog"), comments * 5000, *[site.pool(f"p{n}") for n in range(900)])
    with open(f"/proc/{master}/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.prlimit(master, resource.RLIMIT_AS, (used + 200_000, -1))
    mark = running.daemon.mark()
    running.daemon.signal(signal.SIGHUP)
    running.daemon.wait_line("error .*(reload failed|cannot obey a signal): .*alloc", since=mark)
    assert site.text("blog") == "one - "
    resource.prlimit(master, resource.RLIMIT_AS, before)
    site.write(site.pool("blog"))
    running.daemon.signal(signal.SIGHUP)
    running.daemon.wait_line(reloaded("blog"), 20, since=mark)
