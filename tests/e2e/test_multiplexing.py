"""Several requests at once on one FastCGI connection; aborts; connections that break (F16, F24,
F27 to F29)."""

import socket

import pytest
from harness import cgi, fastcgi
from harness.fastcgi import KEEP

WORKER_LINES = r" \S+/\d+\[\d+\]: "


@pytest.fixture
def daemon(start):
    return start("pep3333", threads=2)


@pytest.fixture
def connection(daemon):
    with daemon.connect() as opened:
        yield opened


def waiting(name, request_id=1, flags=KEEP):
    """A request that waits at the gate under that name."""
    return fastcgi.request(cgi.variables("/waiting", query=name), b"", request_id, flags)


def single(request_id, flags=KEEP):
    return fastcgi.request(cgi.variables("/single"), b"", request_id, flags)


def test_F16_streams_of_two_requests_interleave(connection):
    bodies = {1: b"one" * 1000, 2: b"two" * 1000}
    fields = {
        each: fastcgi.pairs(cgi.variables("/whole", "POST", length=len(body)))
        for each, body in bodies.items()
    }
    connection.send(fastcgi.begin(1, flags=KEEP) + fastcgi.begin(2, flags=KEEP))
    for kind, contents in ((fastcgi.PARAMS, fields), (fastcgi.STDIN, bodies)):
        length = max(len(content) for content in contents.values())
        for at in range(0, length, 50):
            for each, content in contents.items():
                if piece := content[at : at + 50]:
                    connection.send(fastcgi.record(kind, each, piece, padding=each))
        connection.send(fastcgi.record(kind, 2) + fastcgi.record(kind, 1))
    assert connection.answer(1).body == bodies[1]
    assert connection.answer(2).body == bodies[2]


def test_F24_requests_end_in_any_order(daemon, connection):
    connection.send(waiting("a", 1) + waiting("b", 2))
    visitors = {}
    for _ in range(2):
        visitor = daemon.gate.arrival()
        visitors[visitor.name] = visitor
    visitors["b"].release()
    assert connection.answer(2).status == 200
    visitors["a"].release()
    assert connection.answer(1).status == 200


def test_F29_responses_interleave(daemon, connection):
    """The second response passes whole while the first stands half sent."""
    connection.send(fastcgi.request(cgi.variables("/steps"), request_id=1, flags=KEEP))
    visitor = daemon.gate.arrival()
    connection.send(single(2))
    assert connection.answer(2).body == b"one block"
    visitor.release()
    assert connection.answer(1).body == b"onetwo"


def test_F29_the_connection_ends_when_its_last_request_does(daemon, connection):
    connection.send(waiting("kept", 1, flags=KEEP))
    visitor = daemon.gate.arrival()
    connection.send(single(2, flags=0))
    assert connection.answer(2).status == 200
    visitor.release()
    assert connection.answer(1).status == 200
    assert connection.at_end()


def test_F29_a_reader_that_stops_does_not_stop_other_connections(daemon, connection):
    daemon.expect("closed endless")
    connection.send(fastcgi.request(cgi.variables("/endless"), request_id=1, flags=KEEP))
    assert connection.next_record(1).type == fastcgi.STDOUT
    assert all(daemon.get("/single").status == 200 for _ in range(5))


def test_F27_abort_before_the_end_of_params(connection):
    connection.send(fastcgi.begin(flags=KEEP) + fastcgi.record(fastcgi.PARAMS, 1, b"\3\3ab"))
    connection.send(fastcgi.abort())
    answer = connection.answer()
    assert answer.protocol_status == fastcgi.COMPLETE
    connection.send(single(1))
    assert connection.answer(1).status == 200


def test_F27_abort_of_an_unknown_request_is_ignored(connection):
    connection.send(fastcgi.abort(9) + single(1))
    assert connection.answer(1).status == 200
    connection.send(fastcgi.abort(1) + single(1))
    assert connection.answer(1).status == 200


def next_in_python(daemon, connection):
    """Who comes next to the gate, of two new requests and whatever was queued before them."""
    connection.send(waiting("new", 11) + waiting("new", 12))
    visitors = [daemon.gate.arrival(), daemon.gate.arrival()]
    for visitor in visitors:
        visitor.release()
    assert connection.answer(11).status == 200 and connection.answer(12).status == 200
    return [visitor.name for visitor in visitors]


@pytest.mark.parametrize("handed_ahead", [False, True])
def test_F27_an_aborted_queued_request_never_reaches_python(daemon, connection, handed_ahead):
    """Neither from the gateway's queue nor from the worker's."""
    connection.send(waiting("a", 1) + waiting("b", 2))
    visitors = [daemon.gate.arrival(), daemon.gate.arrival()]
    connection.send(waiting("queued", 3))
    if handed_ahead:
        connection.send(fastcgi.get_values("FCGI_MAX_REQS"))
        assert connection.next_record(0), "the gateway has done with everything before"
    connection.send(fastcgi.abort(3))
    assert connection.answer(3).protocol_status == fastcgi.COMPLETE
    for visitor in visitors:
        visitor.release()
    assert connection.answer(1).status == 200 and connection.answer(2).status == 200
    assert next_in_python(daemon, connection) == ["new", "new"]


def test_F27_an_aborted_running_request_sees_its_write_fail(daemon, connection):
    connection.send(fastcgi.request(cgi.variables("/endless"), request_id=1, flags=KEEP))
    assert connection.next_record(1).type == fastcgi.STDOUT
    connection.send(fastcgi.abort(1))
    while connection.next_record(1).type != fastcgi.END:
        pass
    daemon.wait_line("closed endless")
    connection.send(single(1))
    assert connection.answer(1).status == 200


def test_F28_the_end_of_the_connection_aborts_all_its_requests(daemon):
    with daemon.connect() as connection:
        connection.send(waiting("a", 1) + waiting("b", 2) + waiting("queued", 3))
        visitors = [daemon.gate.arrival(), daemon.gate.arrival()]
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.socket.recv(1) == b"", "the gateway has seen the end, and closes, too"
    with daemon.connect() as other:
        for visitor in visitors:
            visitor.release()
        assert next_in_python(daemon, other) == ["new", "new"]


@pytest.mark.parametrize("how", ["abort", "close"])
def test_F27_F28_a_running_reader_sees_its_read_fail(start, how):
    daemon = start("files", "--request-buffering=no")
    daemon.expect(WORKER_LINES)
    with daemon.connect() as connection:
        fields = cgi.variables("/read_or_tell", "POST", length=100)
        connection.send(fastcgi.begin(flags=KEEP) + fastcgi.params(fields))
        connection.send(fastcgi.record(fastcgi.STDIN, 1, b"half"))
        visitor = daemon.gate.arrival()
        if how == "abort":
            connection.send(fastcgi.abort())
            assert connection.answer().protocol_status == fastcgi.COMPLETE
    visitor.release()
    daemon.wait_line("OSError: ")
