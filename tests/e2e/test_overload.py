"""More requests or connections than there is room for: what is answered, what is said of it, and
that it passes (issue 3, point 5)."""

import contextlib
import json
import os
import resource
import select

import pytest
from harness import cgi, fastcgi, processes, sockets
from harness.fastcgi import KEEP

BUSY = 'requests? waits? .option "processes" or "threads"'
WAITING = cgi.variables("/waiting", query="held")
# What is left to connections when few descriptors are: the gateway keeps an eighth for itself.
FEW_DESCRIPTORS = 64
SHORTAGE = "cannot accept connections: Too many open files; accepting pauses"


def hold(daemon, connection, count):
    """Requests under ids from 1 on that wait at the gate: all threads are busy."""
    for each in range(1, count + 1):
        connection.send(fastcgi.request(WAITING, b"", each, KEEP))
    return [daemon.gate.arrival() for _ in range(count)]


def single(request_id=1):
    return fastcgi.request(cgi.variables("/single"), b"", request_id, KEEP)


def test_busy_threads_are_told_of_once(start):
    daemon = start("pep3333", threads=2)
    with daemon.connect() as connection:
        visitors = hold(daemon, connection, 2)
        connection.send(single(3) + single(4))
        daemon.wait_line(f"notice pep3333: all 2 threads are busy and 2 {BUSY}")
        connection.send(single(5))
        for visitor in visitors:
            visitor.release()
        for each in range(1, 6):
            assert connection.answer(each).status == 200
        (visitor, other) = hold(daemon, connection, 2)
        with daemon.connect() as late:
            late.send(single())
            late.socket.settimeout(1.5)
            with pytest.raises(TimeoutError):
                late.socket.recv(1)
            visitor.release()
            other.release()
            late.socket.settimeout(10)
            assert late.answer().status == 200
    daemon.stop()
    assert daemon.count("threads are busy") == 1


def test_a_queue_of_a_moment_is_not_told_of(start):
    daemon = start("pep3333", threads=1)
    with daemon.connect() as connection:
        (visitor,) = hold(daemon, connection, 1)
        connection.send(single(2))
        connection.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.socket.recv(1)
        visitor.release()
        connection.socket.settimeout(10)
        assert connection.answer(2).status == 200
    daemon.stop()
    assert daemon.count("busy") == 0


@pytest.mark.parametrize("level", ["notice", "info"])
def test_refusals_of_a_full_queue_are_told_of_once(start, level):
    """Each of them only in level info; how many they were is said a minute later, or at the end."""
    daemon = start("pep3333", "--max-queue", "1", "--log-level", level, threads=1)
    with daemon.connect() as connection:
        (visitor,) = hold(daemon, connection, 1)
        connection.send(single(2))
        for each in range(3, 13):
            connection.send(single(each))
            assert connection.answer(each).status == 503
        visitor.release()
        assert connection.answer(2).status == 200
    daemon.stop()
    daemon.wait_line('warning pep3333: answered 503: the queue is full .option "max-queue" is 1')
    assert daemon.count("warning pep3333: answered 503: the queue is full") == 1
    assert daemon.count("warning .*: answered 503: 9 more in the last minute: the queue is full") == 1
    each_one = r"info pep3333: request \S+ .GET /single.*: answered 503: the queue is full"
    assert daemon.count(each_one) == (10 if level == "info" else 0)


def test_requests_that_waited_too_long_are_told_of_once(start):
    daemon = start("pep3333", "--queue-timeout", "100ms", threads=1)
    with daemon.connect() as connection:
        (visitor,) = hold(daemon, connection, 1)
        for each in range(2, 8):
            connection.send(single(each))
        for each in range(2, 8):
            assert connection.answer(each).status == 503
        visitor.release()
        assert connection.answer(1).status == 200
    daemon.stop()
    daemon.wait_line(
        'warning pep3333: answered 503: requests waited for 100ms .option "queue-timeout".; more '
        'get through at a time with options "processes" or "threads"'
    )
    assert daemon.count("answered 503: requests waited") == 1
    assert daemon.count("answered 503: 5 more in the last minute: requests waited") == 1
    assert daemon.count("answered 503") == 2


def test_the_queue_is_seen_in_status_and_access_log(start, tmp_path):
    log = tmp_path / "access"
    options = ("--status-path", "/-/status", "--access-log", str(log))
    daemon = start("pep3333", *options, "--access-format", "%U %s %{queue}T", threads=1)
    with daemon.connect() as connection:
        (visitor,) = hold(daemon, connection, 1)
        connection.send(single(2))
        connection.send(fastcgi.get_values("FCGI_MAX_REQS"))
        assert connection.next_record(0), "everything before is read now"
        shown = json.loads(daemon.get("/-/status", QUERY_STRING="json").body)
        assert (shown["queue"], shown["active_threads"], shown["idle_threads"]) == (1, 1, 0)
        connection.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.socket.recv(1)
        visitor.release()
        connection.socket.settimeout(10)
        assert connection.answer(2).status == 200
    daemon.stop()
    (line,) = [line for line in log.read_text().splitlines() if line.startswith("/single")]
    assert line.split()[1] == "200" and int(line.split()[2]) >= 200_000


@pytest.fixture
def start_limited(start):
    """A daemon that may open few files."""

    def run(*options):
        sockets_ = () if "--fastcgi" in options else ("--fastcgi", "unix:{directory}/fastcgi")
        command = ["/usr/bin/prlimit", f"--nofile={FEW_DESCRIPTORS}:{FEW_DESCRIPTORS}"]
        if os.geteuid() == 0:  # who could raise the limit again
            command += ["/usr/bin/setpriv", "--bounding-set=-sys_resource"]
        return start("pep3333", *sockets_, *options, command=command)

    return run


def connect_in_vain(stack, daemon):
    """Kept connections, one more than the gateway has room for; all but the last were answered."""
    connections = []
    for _ in range(FEW_DESCRIPTORS):
        connection = stack.enter_context(daemon.connect())
        connections.append(connection)
        connection.send(single())
        while not select.select([connection.socket], [], [], 0.1)[0]:
            if daemon.count(SHORTAGE) > 0:
                return connections
        assert connection.answer().status == 200
    raise AssertionError("the gateway does not run out of descriptors")


def descriptors_of(pid):
    return sorted(int(name) for name in os.listdir(f"/proc/{pid}/fd"))


def test_accepting_pauses_without_descriptors_and_goes_on(start_limited):
    daemon = start_limited()
    with contextlib.ExitStack() as stack:
        *served, waiting = connect_in_vain(stack, daemon)
        daemon.wait_line("warning .*" + SHORTAGE)
        assert max(descriptors_of(daemon.gateway)) <= FEW_DESCRIPTORS * 7 // 8
        for connection in served:
            connection.send(single())
            assert connection.answer().status == 200
        served.pop().close()
        assert waiting.answer().status == 200
    for _ in range(2 * FEW_DESCRIPTORS):
        assert daemon.get("/single").status == 200
    daemon.stop()
    assert daemon.count(SHORTAGE) == 1


def test_a_worker_is_replaced_while_connections_wait_for_descriptors(start_limited):
    """Connections leave enough of them for the channel of another worker."""
    daemon = start_limited()
    daemon.expect("was killed by signal 9")
    with contextlib.ExitStack() as stack:
        first, *_ = connect_in_vain(stack, daemon)
        gateway = daemon.gateway
        worker = daemon.only_worker()
        processes.kill(worker)
        assert processes.wait_gone(worker)
        first.send(single())
        assert first.answer().status == 200
        assert daemon.gateway == gateway and worker not in daemon.workers


def test_connections_beyond_the_descriptors_are_not_lost(start_limited):
    port = sockets.free_port()
    daemon = start_limited("--fastcgi", f"127.0.0.1:{port}")
    with contextlib.ExitStack() as stack:
        crowd = [
            stack.enter_context(fastcgi.Connection(("127.0.0.1", port)))
            for _ in range(2 * FEW_DESCRIPTORS)
        ]
        for connection in crowd:
            connection.send(fastcgi.request(cgi.variables("/single")))
        for connection in crowd:
            assert connection.answer().status == 200
    daemon.stop()
    assert daemon.count(SHORTAGE) == 1


def limit_descriptors(daemon, count):
    hard = resource.prlimit(daemon.gateway, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(daemon.gateway, resource.RLIMIT_NOFILE, (count, hard))


def replace(daemon):
    """Kills the one worker and waits for its successor."""
    mark = daemon.mark()
    processes.kill(daemon.only_worker())
    daemon.wait_line("ready after", 30, since=mark)


def fill_gaps(stack, daemon):
    """Opens connections until the gateway has no free number below its highest descriptor. Returns
    how many it has then."""
    for _ in range(FEW_DESCRIPTORS):
        used = descriptors_of(daemon.gateway)
        if used == list(range(len(used))):
            return len(used)
        connection = stack.enter_context(daemon.connect(timeout=60))
        connection.send(single())
        assert connection.answer().status == 200
    raise AssertionError(f"there are gaps between the gateway's descriptors: {used}")


def test_a_channel_that_the_gateway_cannot_take_costs_the_worker_alone(start):
    """What a worker gives free when it ends is less than its successor needs for a moment."""
    daemon = start("pep3333", "--queue-timeout", "60s", "--log-level", "info")
    daemon.expect("was killed by signal 9", "the gateway has no descriptor left for it")
    gateway = daemon.gateway
    limit = resource.prlimit(gateway, resource.RLIMIT_NOFILE)[0]
    replace(daemon)  # A sanitizer needs descriptors, too, when it sees the gateway do this first.
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(daemon.connect(timeout=60))
        connection.send(single())
        assert connection.answer().status == 200
        limit_descriptors(daemon, fill_gaps(stack, daemon))
        processes.kill(daemon.only_worker())
        daemon.wait_line("was killed: the gateway has no descriptor left for it", 30)
        connection.send(single())
        limit_descriptors(daemon, limit)
        assert connection.answer().status == 200
    assert daemon.gateway == gateway
