"""FastCGI 1.0 at the daemon's door: records, management, connections (F8 to F26)."""

import hashlib
import json

import pytest
from harness import cgi, fastcgi, sockets
from harness.daemon import Daemon
from harness.fastcgi import END, KEEP, STDOUT

HELLO = cgi.variables("/pid")


@pytest.fixture(scope="module")
def daemon():
    with Daemon("crashing") as running:
        yield running


@pytest.fixture(scope="module")
def files():
    with Daemon("files", "--response-buffer", "128K") as running:
        yield running


@pytest.fixture
def connection(daemon):
    with daemon.connect() as opened:
        yield opened


def works(connection, request_id=1):
    """Whether a whole request on the connection is answered as it should be."""
    connection.send(fastcgi.request(HELLO, request_id=request_id, flags=KEEP))
    return connection.answer(request_id).body.isdigit()


def test_F6_a_request_in_single_bytes(connection):
    for byte in fastcgi.request(HELLO):
        connection.send(bytes([byte]))
    assert connection.answer().status == 200


def test_F5_padding_and_reserved_bytes_are_skipped(connection):
    content = fastcgi.pairs(HELLO)
    connection.send(fastcgi.record(fastcgi.BEGIN, 1, b"\0\1\0rsrvd", b"\xff" * 255))
    connection.send(fastcgi.record(fastcgi.PARAMS, 1, content, b"\1\5\0\1" * 9))
    connection.send(fastcgi.record(fastcgi.PARAMS, 1, b"", 7) + fastcgi.record(5, 1, b"", 255))
    assert connection.answer().status == 200


def test_F4_another_version_closes_the_connection(daemon, connection):
    connection.send(fastcgi.record(fastcgi.BEGIN, 1, bytes(8), version=2))
    assert connection.at_end()


def test_F8_records_of_unknown_requests_are_ignored(connection):
    for kind in (fastcgi.ABORT, fastcgi.PARAMS, fastcgi.STDIN, fastcgi.DATA):
        connection.send(fastcgi.record(kind, 77, b"ignored", 3))
    assert works(connection)


def test_F8_records_after_the_end_are_ignored(connection):
    assert works(connection)
    connection.send(fastcgi.stdin(b"late") + fastcgi.abort() + fastcgi.params({"LATE": "1"}))
    assert works(connection)


def test_F9_any_id_works_and_works_again(connection):
    for request_id in (65535, 1, 4096, 65535, 1):
        assert works(connection, request_id)


def test_F10_a_second_begin_of_a_live_request_closes_the_connection(connection):
    connection.send(fastcgi.begin() + fastcgi.begin())
    assert connection.at_end()


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_F13_params_in_pieces(connection, size):
    more = cgi.variables("/pid", HTTP_X_LONG="v" * 300)
    connection.send(fastcgi.begin() + fastcgi.params(more, size=size) + fastcgi.stdin())
    assert connection.answer().status == 200


def test_F14_four_length_bytes_where_one_would_do(connection):
    items = (fastcgi.pair(k.encode(), v.encode(), long_form=True) for k, v in HELLO.items())
    content = fastcgi.stream(fastcgi.PARAMS, 1, b"".join(items))
    end = fastcgi.record(fastcgi.PARAMS, 1)
    connection.send(fastcgi.begin() + content + end + fastcgi.stdin())
    assert connection.answer().status == 200


@pytest.mark.parametrize("bad", [b"\3\3NUL\0x\0", b"\3\4ABC1", b"\0\1v"])
def test_F15_F14_broken_params_are_400(connection, bad):
    content = fastcgi.pairs(HELLO) + bad
    connection.send(fastcgi.begin(flags=KEEP) + fastcgi.record(fastcgi.PARAMS, 1, content))
    connection.send(fastcgi.record(fastcgi.PARAMS, 1) + fastcgi.stdin())
    assert connection.answer().status == 400
    assert works(connection)


def test_F17_an_empty_body_still_ends_its_stream(connection):
    connection.send(fastcgi.request({**HELLO, "REQUEST_METHOD": "HEAD"}))
    kinds = [(each.type, bool(each.content)) for each in connection.answer().records]
    assert kinds == [(STDOUT, True), (STDOUT, False), (END, True)]


def test_F17_no_stderr_records_unless_there_is_something_to_say(connection):
    connection.send(fastcgi.request(HELLO))
    assert not connection.answer().stderr


@pytest.mark.parametrize("size", [0, 1, 7, 8, 65527, 65528, 65529, 65535, 65536, 131070, 262145])
def test_F18_sizes_around_the_borders_of_records(files, size):
    answer = files.get("/sized", query=str(size))
    pattern = bytes(range(256)) * (size // 256 + 1)
    assert answer.body == pattern[:size]
    assert all((len(each.content) + len(each.padding)) % 8 == 0 for each in answer.records)
    echoed = files.post("/echo", answer.body)
    assert echoed.body == answer.body


@pytest.mark.parametrize("size", [1, 8, 65528, 65535])
def test_F6_bodies_in_records_of_many_sizes(files, size):
    body = b"0123456789abcdef" * (50 if size == 1 else 20000)
    fields = cgi.variables("/upload", "POST", length=len(body))
    with files.connect() as connection:
        connection.send(fastcgi.begin() + fastcgi.params(fields) + fastcgi.stdin(body, size=size))
        expected = f"{len(body)} {hashlib.sha256(body).hexdigest()}"
        assert connection.answer().text == expected


def values(connection, *names):
    connection.send(fastcgi.get_values(*names))
    found = connection.next_record(0)
    assert found.type == fastcgi.GET_VALUES_RESULT
    return fastcgi.decode_pairs(found.content)


def test_F19_get_values(connection):
    known = ("FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS")
    result = values(connection, *known, "FCGI_UNHEARD_OF")
    assert set(result) == set(known) and all(value.isdigit() for value in result.values())
    assert result["FCGI_MPXS_CONNS"] == "1"
    assert set(values(connection, "FCGI_MAX_REQS")) == {"FCGI_MAX_REQS"}
    assert values(connection) == {}


def test_F19_get_values_in_the_middle_of_a_request(connection):
    request = fastcgi.begin(flags=KEEP) + fastcgi.params(HELLO)
    connection.send(request)
    assert values(connection, "FCGI_MPXS_CONNS") == {"FCGI_MPXS_CONNS": "1"}
    connection.send(fastcgi.stdin())
    assert connection.answer().status == 200


def test_F20_unknown_management_types_are_named(connection):
    for kind in (99, 255, 12):
        connection.send(fastcgi.record(kind, 0, b"whatever", 5))
        found = connection.next_record(0)
        assert (found.type, found.content) == (fastcgi.UNKNOWN_TYPE, bytes([kind]) + bytes(7))
    connection.send(fastcgi.record(fastcgi.UNKNOWN_TYPE, 0, bytes(8)))
    assert works(connection)


def test_F21_unknown_types_of_a_request_are_ignored(connection):
    connection.send(fastcgi.begin(flags=KEEP) + fastcgi.record(99, 1, b"ignored"))
    connection.send(fastcgi.params(HELLO) + fastcgi.stdin())
    assert connection.answer().status == 200


def test_F22_unknown_roles_are_refused(connection):
    connection.send(fastcgi.begin(5, role=9, flags=KEEP) + fastcgi.params({}, 5))
    answer = connection.answer(5)
    assert answer.protocol_status == fastcgi.UNKNOWN_ROLE and answer.application_status == 0
    assert works(connection, 5)


def test_F23_without_keep_conn_the_connection_ends(connection):
    connection.send(fastcgi.request(HELLO))
    assert connection.answer().status == 200
    assert connection.at_end()


def test_F23_with_keep_conn_it_stays(connection):
    assert all(works(connection) for _ in range(20))


def test_several_requests_at_once_on_a_kept_connection(connection):
    """Pipelined under one id each, all in one write."""
    ids = range(1, 21)
    connection.send(b"".join(fastcgi.request(HELLO, b"", each, KEEP) for each in ids))
    assert all(connection.answer(each).status == 200 for each in ids)


def test_F25_too_many_requests_at_once_are_overload(connection):
    """The first ones go on; the connection and the daemon survive."""
    ids = range(2, 3000)
    connection.send(b"".join(fastcgi.begin(each, flags=KEEP) for each in ids))
    found = connection.read_record()
    assert found.type == END and found.content[4] == fastcgi.OVERLOADED
    connection.send(b"".join(fastcgi.abort(each) for each in ids))
    for each in ids:
        if each != found.id:
            assert connection.next_record(each).type == END
    assert works(connection)


def test_F26_end_request_says_complete_with_status_0(connection):
    connection.send(fastcgi.request(HELLO))
    last = connection.answer().records[-1]
    assert last.content == bytes(8)


def test_garbage_closes_the_connection_alone(daemon):
    with sockets.connect(daemon.fastcgi) as garbage:
        garbage.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert sockets.closed_by_peer(garbage)
    assert daemon.get("/pid").status == 200


def test_F34_other_variables_need_not_exist(start):
    """The least that the specification asks for."""
    daemon = start("mirror")
    answer = fastcgi.fetch(daemon.fastcgi, {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "/x"})
    shown = json.loads(answer.body)
    assert shown["PATH_INFO"] == "/x" and shown["SERVER_NAME"] and shown["SERVER_PORT"]
