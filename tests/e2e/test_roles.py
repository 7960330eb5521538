"""The three roles of FastCGI, and bodies that end short (F22, F30 to F32)."""

import pytest
from harness import cgi, fastcgi
from harness.fastcgi import AUTHORIZER, FILTER, KEEP

WORKER_LINES = r" \S+/\d+\[\d+\]: "


@pytest.fixture
def daemon(start):
    return start("roles")


def authorize(daemon, user):
    """As mod_authnz_fcgi does: no STDIN at all, no CONTENT_LENGTH, no path."""
    fields = cgi.variables(
        SCRIPT_NAME=None, DOCUMENT_URI=None, CONTENT_LENGTH=None, REMOTE_USER=user
    )
    fields["FCGI_ROLE"] = "AUTHORIZER"
    with daemon.connect() as connection:
        connection.send(fastcgi.begin(role=AUTHORIZER, flags=KEEP) + fastcgi.params(fields))
        return connection.answer()


def test_F31_authorizer_grants_with_variables(daemon):
    answer = authorize(daemon, "alice")
    assert answer.status == 200 and answer.header("Variable-Quota") == "5"


def test_F31_authorizer_refuses_with_an_answer_for_the_client(daemon):
    answer = authorize(daemon, "mallory")
    assert answer.status == 403 and answer.body == b"not for you"


def test_F31_authorizer_role_is_told_without_the_fronts_help(daemon):
    """FCGI_ROLE follows from BEGIN_REQUEST, whatever the variables say."""
    with daemon.connect() as connection:
        fields = cgi.variables(CONTENT_LENGTH=None, REMOTE_USER="alice")
        connection.send(fastcgi.begin(role=AUTHORIZER) + fastcgi.params(fields))
        assert connection.answer().header("Variable-Quota") == "5"


def filtered(connection, data, length, last_modified="0"):
    fields = cgi.variables(
        "/x", "POST", length=3, FCGI_DATA_LENGTH=str(length), FCGI_DATA_LAST_MOD=last_modified
    )
    connection.send(fastcgi.begin(role=FILTER, flags=KEEP) + fastcgi.params(fields))
    connection.send(fastcgi.stdin(b"abc"))
    data_stream = fastcgi.stream(fastcgi.DATA, 1, data) + fastcgi.record(fastcgi.DATA, 1)
    connection.send(data_stream)
    return connection.answer()


@pytest.mark.parametrize("size", [0, 10, 70_000, 2_000_000])
def test_F32_filter_reads_the_file_behind_the_body(daemon, size):
    with daemon.connect() as connection:
        for _ in range(2):
            answer = filtered(connection, b"z" * size, size)
            assert answer.body == b"abc:" + b"Z" * size


def test_F32_filter_with_another_length_of_data_fails(daemon):
    daemon.expect(r"FCGI_DATA_LENGTH|DATA")
    with daemon.connect() as connection:
        assert filtered(connection, b"short", 100).status == 400


def test_F22_a_responder_ignores_data(daemon):
    with daemon.connect() as connection:
        connection.send(fastcgi.begin() + fastcgi.record(fastcgi.DATA, 1, b"ignored"))
        connection.send(fastcgi.params(cgi.variables()) + fastcgi.stdin())
        assert connection.answer().body == b"responder"


def test_F30_a_short_body_never_reaches_a_buffered_application(start):
    daemon = start("files")
    with daemon.connect() as connection:
        fields = cgi.variables("/read_or_tell", "POST", length=100)
        connection.send(fastcgi.request(fields, b"short", flags=KEEP))
        answer = connection.answer()
        assert not answer.head or answer.status == 400
    daemon.wait_line("(?i)body|short|CONTENT_LENGTH")
    assert daemon.get("/sized", query="5").status == 200
    assert daemon.gate.nobody_waits()


def test_F30_a_short_body_raises_oserror_when_streamed(start):
    daemon = start("files", "--request-buffering=no")
    daemon.expect(WORKER_LINES)
    with daemon.connect() as connection:
        fields = cgi.variables("/read_or_tell", "POST", length=100)
        connection.send(fastcgi.request(fields, b"short", flags=KEEP))
        daemon.gate.arrival().release()
        daemon.wait_line("OSError: ")
        assert connection.answer().status == 500


def test_F30_output_may_begin_before_the_body_has_ended(start):
    """An application that answers first and reads later, unbuffered."""
    daemon = start("files", "--request-buffering=no")
    with daemon.connect() as connection:
        fields = cgi.variables("/piecemeal", "POST", length=11)
        connection.send(fastcgi.begin() + fastcgi.params(fields))
        connection.send(fastcgi.record(fastcgi.STDIN, 1, b"a"))
        daemon.gate.arrival().release()
        connection.send(fastcgi.stdin(b"bcdefghijk"))
        assert connection.answer().body == b"abcdefghijk"
