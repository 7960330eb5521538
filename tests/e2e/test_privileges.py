"""Who may do what to whom: users, capabilities, descriptors (issue 3, point 8). They run as root, with
users of Debian's that nobody is."""

import json
import os
import pwd

from harness import daemon, processes
from harness.real_users import FIRST, GATEWAY, SECOND, check_dropped, start_two_pools, worker_of

CONFIGURATION = 78


def attempt(place, attempts):
    """What came of the attempts of pool "one", those that failed for want of a right left out."""
    answer = place.post("one", json.dumps(attempts).encode())
    assert answer.status == 200
    results = json.loads(answer.body)
    assert len(results) == len(attempts)
    return [result for result in results if result[2] not in ("EACCES", "EPERM")]


def test_everything_is_dropped(place, start):
    running, one, two = start_two_pools(place, start)
    check_dropped(running.gateway, GATEWAY)
    check_dropped(one, FIRST)
    check_dropped(two, SECOND)
    assert processes.status_of(running.gateway)["Umask"] == ["0077"]


def test_a_pool_cannot_touch_another_or_the_daemon(place, start):
    log = place.path("access.log")
    running, _, other = start_two_pools(place, start, access_log=log)
    assert place.post("two", b"").status == 200
    master, gateway = running.process.pid, running.gateway
    attempts = [["connect", place.path("two.sock")], ["read", log], ["write", log]]
    for pid in (master, gateway, other):
        attempts += [["read", f"/proc/{pid}/{name}"] for name in ("environ", "mem", "maps")]
        attempts += [["list", f"/proc/{pid}/fd"]]
        attempts += [[what, pid] for what in ("kill", "attach", "renice")]
    assert attempt(place, attempts) == []
    assert place.post("one", b"").status == 200 and place.post("two", b"").status == 200
    assert (running.gateway, worker_of(running, "two")) == (gateway, other)


def test_the_attempts_work_where_they_may(place, start):
    """So that the test above sees rights, and not mistakes of its own."""
    running, one, _ = start_two_pools(place, start)
    attempts = [["read", f"/proc/{one}/environ"], ["list", f"/proc/{one}/fd"], ["renice", one]]
    assert [result[2] for result in attempt(place, attempts)] == ["done"] * 3

    running.expect(r"one/1\[\d+\]: ")


def test_the_gateway_is_closed_to_workers_of_its_own_user(place, start):
    """They can end it, but neither look into it nor take its sockets."""
    place.write(f"user = {GATEWAY}", place.pool("one", "intruder"))
    running = start(None, config=place.file)
    gateway = running.gateway
    attempts = [["read", f"/proc/{gateway}/{name}"] for name in ("environ", "mem", "maps")]
    attempts += [["list", f"/proc/{gateway}/fd"], ["attach", gateway]]
    assert attempt(place, attempts) == []


def descriptors(pid):
    """What the descriptors of a process are, by number: the link and the inode."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{name}"
        found[int(name)] = (os.readlink(path), os.stat(path).st_ino)
    return found


def shared_memory(pid):
    """Inodes of the shared memory that a process has mapped, or open."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as file:
        mapped = {int(line.split()[4]) for line in file if "/memfd:" in line}
    return mapped | {inode for link, inode in descriptors(pid).values() if "/memfd:" in link}


# The bell, both ends of its own pipe for stacks, and the sockets that pass files and entries for the
# log.
OWN_DESCRIPTORS = ["anon_inode", "pipe", "pipe", "socket", "socket"]


def others(found):
    """Kinds of the descriptors besides the standard ones."""
    return sorted(link.partition(":")[0] for fd, (link, _) in found.items() if fd > 2)


def test_a_worker_has_its_own_descriptors_and_no_other(place, start):
    running, one, two = start_two_pools(place, start)
    # The pipe on which it has just said that it is ready is closed in the next moment.
    processes.wait_until(lambda: len(others(descriptors(one))) == len(OWN_DESCRIPTORS))
    mine, theirs = descriptors(one), descriptors(two)
    assert mine[0][0] == "/dev/null"
    assert mine[1] == mine[2] and mine[1][0].startswith("pipe:")
    assert others(mine) == OWN_DESCRIPTORS, mine
    shared = set(mine.values()) & set(theirs.values())
    assert {link for link, _ in shared} <= {"/dev/null", "anon_inode:[eventfd]"}
    memory = shared_memory(two)
    assert len(memory) == 1
    rest = (running.process.pid, running.gateway, one)
    assert [pid for pid in rest if memory & shared_memory(pid)] == [running.gateway]


def test_capabilities_of_a_user_who_is_not_root_are_dropped(place, start):
    """As systemd's AmbientCapabilities= gives them."""
    os.chown(place.directory, pwd.getpwnam(FIRST).pw_uid, -1)
    entry = pwd.getpwnam(FIRST)
    one = "net_bind_service"
    command = ["setpriv", f"--reuid={FIRST}", f"--regid={entry.pw_gid}", "--init-groups"]
    command += [f"--inh-caps=+{one}", f"--ambient-caps=+{one}", "--"]
    path = place.path("sock")
    running = start("intruder", "--fastcgi", f"unix:{path}", command=command)
    assert int(processes.status_of(running.process.pid)["CapEff"][0], 16) != 0
    for pid in (running.gateway, *running.workers):
        status = processes.status_of(pid)
        assert all(int(status[kind][0], 16) == 0 for kind in ("CapPrm", "CapEff", "CapAmb"))


def test_the_gateway_is_not_root_unless_every_pool_may_be(place):
    place.write(
        place.pool("one", "mirror", user=FIRST),
        place.pool("two", "mirror", allow_root="yes"),
    )
    for arguments in (["-t"], []):
        done = daemon.run(*arguments, "--config", place.file)
        assert done.returncode == CONFIGURATION
        assert "the gateway would run as root" in done.stderr
        assert '(option "user"); name another user' in done.stderr
        assert 'or allow it in pool "one" too (option "allow-root")' in done.stderr


def test_a_gateway_with_the_user_of_a_pool_is_warned_of(start, place):
    place.write(f"user = {FIRST}", place.pool("one", "intruder"))
    daemon = start(None, config=place.file)
    assert daemon.count(f'warning .*pool "one" has the gateway\'s user "{FIRST}"') == 1
