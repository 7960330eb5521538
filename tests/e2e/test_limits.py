"""Limits and the answers that tell of them: 400, 413, 431, 502, 503; connections; spilling."""

import hashlib
import os

import pytest
from harness import cgi, fastcgi, processes, sockets
from harness.fastcgi import KEEP

WORKER_LINES = r" \S+/\d+\[\d+\]: "
SINGLE = cgi.variables("/single")


def single(request_id=1):
    return fastcgi.request(SINGLE, b"", request_id, KEEP)


@pytest.mark.parametrize(
    "variables",
    [
        {"CONTENT_LENGTH": "12x"},
        {"CONTENT_LENGTH": "-5"},
        {"CONTENT_LENGTH": "9223372036854775808"},
        {"REQUEST_METHOD": "G T"},
        {"REQUEST_METHOD": None},
    ],
)
def test_400_for_variables_that_make_no_sense(start, variables):
    daemon = start("pep3333")
    assert daemon.get("/single", **variables).status == 400
    assert daemon.get("/single").status == 200


def test_400_for_lengths_that_differ(start):
    daemon = start("pep3333")
    fields = [*cgi.variables("/single", length=3).items(), ("CONTENT_LENGTH", "4")]
    assert fastcgi.fetch(daemon.fastcgi, fields, b"abc").status == 400


def test_431_for_too_many_variables(start):
    daemon = start("pep3333", "--max-params", "16K")
    with daemon.connect() as connection:
        large = cgi.variables("/single", HTTP_X="x" * 17000)
        connection.send(fastcgi.request(large, flags=KEEP))
        assert connection.answer().status == 431
        connection.send(single())
        assert connection.answer().status == 200
    daemon.wait_line('answered 431: PARAMS are over the limit .option "max-params" is 16K')


def test_a_variable_with_a_nul_byte_is_named(start):
    daemon = start("pep3333")
    fields = cgi.variables("/single", HTTP_X="a\0b")
    assert fastcgi.fetch(daemon.fastcgi, fields).status == 400
    daemon.wait_line('answered 400: a NUL byte in a variable: "HTTP_X"')


@pytest.mark.parametrize("buffering", ["yes", "no"])
@pytest.mark.parametrize("announced", [True, False])
def test_413_while_the_client_still_sends(start, announced, buffering):
    """The client writes everything before it reads (Caddy), and the connection stays usable."""
    daemon = start("pep3333", "--max-body", "1M", f"--request-buffering={buffering}")
    daemon.expect(WORKER_LINES)
    body = b"x" * 20_000_000
    length = len(body) if announced else None
    fields = cgi.variables("/whole", "POST", length=length)
    with daemon.connect() as connection:
        connection.send(fastcgi.request(fields, body, flags=KEEP))
        assert connection.answer().status == 413
        connection.send(single())
        assert connection.answer().status == 200


def test_a_body_of_exactly_the_limit_passes(start):
    daemon = start("files", "--max-body", "100000")
    assert daemon.post("/upload", b"x" * 100_000).status == 200
    assert daemon.post("/upload", b"x" * 100_001).status == 413


@pytest.mark.parametrize("how", ["killed", "aborts", "exits"])
def test_502_when_the_worker_dies(start, how):
    daemon = start("crashing")
    daemon.expect(WORKER_LINES)
    answer = daemon.get("/" + how)
    assert answer.status == 502
    daemon.wait_line(f"GET /{how}")
    assert daemon.get("/pid").status == 200


def test_a_response_breaks_when_the_worker_dies_in_it(start):
    daemon = start("crashing")
    daemon.expect(WORKER_LINES, "GET /killed_late")
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/killed_late"), flags=KEEP))
        assert cgi.parse(connection.broken_answer()).body == b"begun"
    assert daemon.get("/pid").status == 200


def occupy(daemon, connection, count):
    """Requests, under ids from 1 on, that wait at the gate: all threads are busy."""
    for each in range(1, count + 1):
        fields = cgi.variables("/waiting", query=str(each))
        connection.send(fastcgi.request(fields, b"", each, KEEP))
    return [daemon.gate.arrival() for _ in range(count)]


def test_503_when_the_queue_is_full(start):
    daemon = start("pep3333", "--max-queue", "2", threads=1)
    daemon.expect("max-queue")
    with daemon.connect() as connection:
        (visitor,) = occupy(daemon, connection, 1)
        ids = range(2, 32)
        connection.send(b"".join(single(each) for each in ids))
        refused = connection.next_id()
        answers = {refused: connection.answer(refused)}
        assert answers[refused].status == 503
        assert int(answers[refused].header("Retry-After")) > 0
        visitor.release()
        for each in ids:
            if each not in answers:
                answers[each] = connection.answer(each)
        served = [each for each, answer in answers.items() if answer.status == 200]
        assert served[:2] == [2, 3] and len(served) < 30
        assert all(answer.status in (200, 503) for answer in answers.values())
        assert connection.answer(1).status == 200


def test_503_when_the_queue_takes_too_long(start):
    daemon = start("pep3333", "--queue-timeout", "200ms", threads=1)
    daemon.expect("queue-timeout")
    with daemon.connect() as connection:
        (visitor,) = occupy(daemon, connection, 1)
        connection.send(fastcgi.request(cgi.variables("/waiting", query="late"), b"", 2, KEEP))
        answer = connection.answer(2)
        assert answer.status == 503 and int(answer.header("Retry-After")) > 0
        visitor.release()
        assert connection.answer(1).status == 200
        connection.send(single(2))
        assert connection.answer(2).status == 200
        assert daemon.gate.nobody_waits()


def test_connections_beyond_the_limit_wait_for_room(start):
    daemon = start("pep3333", "--max-connections", "3")
    kept = [daemon.connect() for _ in range(3)]
    for connection in kept:
        connection.send(single())
        assert connection.answer().status == 200
    with daemon.connect() as waiting:
        waiting.send(single())
        waiting.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            waiting.socket.recv(1)
        kept.pop().close()
        waiting.socket.settimeout(10)
        assert waiting.read_record().type == fastcgi.STDOUT
    for connection in kept:
        connection.close()
    assert daemon.get("/single").status == 200


def temporary_files(daemon):
    return [name for name in processes.open_files(daemon.gateway) if daemon.temp_dir in name]


def test_large_bodies_spill_to_a_file_that_nobody_sees(start):
    daemon = start("files", "--body-buffer", "64K")
    body = os.urandom(1_000_000)
    fields = cgi.variables("/upload", "POST", length=len(body))
    with daemon.connect() as connection:
        connection.send(fastcgi.begin() + fastcgi.params(fields))
        connection.send(fastcgi.stream(fastcgi.STDIN, 1, body[:500_000]))
        connection.send(fastcgi.get_values("FCGI_MAX_REQS"))
        assert connection.next_record(0), "everything before is read now"
        assert len(temporary_files(daemon)) == 1 and os.listdir(daemon.temp_dir) == []
        connection.send(fastcgi.stdin(body[500_000:]))
        assert connection.answer().text == f"1000000 {hashlib.sha256(body).hexdigest()}"
        assert connection.at_end()
    assert temporary_files(daemon) == []


def test_small_bodies_stay_in_memory(start):
    daemon = start("files", "--body-buffer", "64K")
    with daemon.connect() as connection:
        fields = cgi.variables("/upload", "POST", length=60_000)
        connection.send(fastcgi.begin() + fastcgi.params(fields))
        connection.send(fastcgi.stream(fastcgi.STDIN, 1, b"x" * 50_000))
        connection.send(fastcgi.get_values("FCGI_MAX_REQS"))
        assert connection.next_record(0)
        assert temporary_files(daemon) == []
        connection.send(fastcgi.stdin(b"x" * 10_000))
        assert connection.answer().status == 200


def test_a_temporary_directory_that_is_gone_fails_one_request(start):
    daemon = start("files", "--body-buffer", "64K")
    daemon.expect("temp-dir|temporary")
    os.rmdir(daemon.temp_dir)
    try:
        assert daemon.post("/upload", b"x" * 100_000).status >= 500
        assert daemon.post("/upload", b"x" * 1000).status == 200
    finally:
        os.mkdir(daemon.temp_dir)


def test_peers_that_are_not_allowed_are_closed_at_once(start):
    port = sockets.free_port()
    daemon = start("pep3333", "--fastcgi", f"127.0.0.1:{port}", "--allow-peer", "127.0.0.8/29")
    daemon.expect("127.0.0.1")
    with sockets.connect(("127.0.0.1", port), source=("127.0.0.1", 0)) as refused:
        assert sockets.closed_by_peer(refused)
    daemon.wait_line("127.0.0.1:")
    with fastcgi.Connection(("127.0.0.1", port), source=("127.0.0.9", 0)) as allowed:
        allowed.send(single())
        assert allowed.answer().status == 200


def test_F2_web_server_addresses_are_honoured(start):
    port = sockets.free_port()
    environment = {"FCGI_WEB_SERVER_ADDRS": "127.0.0.3,127.0.0.4"}
    options = ("--fastcgi", f"127.0.0.1:{port}", "--env", "X=1")
    daemon = start("pep3333", *options, env=environment)
    daemon.expect("127.0.0.1")
    with sockets.connect(("127.0.0.1", port), source=("127.0.0.1", 0)) as refused:
        assert sockets.closed_by_peer(refused)
    with fastcgi.Connection(("127.0.0.1", port), source=("127.0.0.4", 0)) as allowed:
        allowed.send(single())
        assert allowed.answer().status == 200


def test_F2_unix_peers_are_not_web_server_addresses(start):
    daemon = start("pep3333", env={"FCGI_WEB_SERVER_ADDRS": "127.0.0.1"})
    daemon.expect("unix")
    with sockets.connect(daemon.fastcgi) as refused:
        assert sockets.closed_by_peer(refused)
