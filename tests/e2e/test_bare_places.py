"""Places that lack what others have: groups that can be changed, /proc, descriptors."""

import os
import resource

import pytest
from harness import processes

SOCKET = ("--fastcgi", "unix:{directory}/fastcgi")
WITHOUT_PROC = 'umount -l /proc && exec "$@"'
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def test_root_of_a_user_namespace_that_nobody_gave_groups(start):
    """setgroups(2) is denied there."""
    daemon = start("pep3333", *SOCKET, "--user", "root", command=["unshare", "-Ur"])
    assert daemon.get("/single").status == 200


@ROOT
@pytest.mark.skipif(
    "libasan" in os.environ.get("PYCGID_WORKER_ENV", ""),
    reason="AddressSanitizer reads its options from /proc, and looks for leaks there",
)
@pytest.mark.parametrize("preload", [[], ["--preload"]])
def test_a_system_without_proc(start, preload):
    bare = ["unshare", "-m", "sh", "-c", WITHOUT_PROC, "sh"]
    daemon = start("pep3333", *SOCKET, *preload, command=bare)
    assert daemon.get("/single").status == 200
    mark = daemon.mark()
    os.unlink(daemon.fastcgi)
    daemon.wait_line("it is bound again", since=mark)
    assert daemon.get("/single").status == 200


def test_the_master_has_descriptors_for_its_workers(start):
    """A soft limit that suits others; workers start with that one, gateway and master with more."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = ["prlimit", f"--nofile=64:{hard}"]
    daemon = start("pep3333", *SOCKET, command=limit, processes=20)
    assert len(daemon.workers) == 20 and daemon.get("/single").status == 200
    assert int(processes.limits_of(daemon.process.pid, "Max open files")[0]) > 64
    assert processes.limits_of(daemon.workers[0], "Max open files")[0] == "64"
