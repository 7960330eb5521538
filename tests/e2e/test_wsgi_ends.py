"""PEP 3333: how requests end: close(), errors, exceptions, threads (W6, W12, W17, W22 to W24)."""

import pytest
from harness import cgi, fastcgi

WORKER_LINES = r" \S+/\d+\[\d+\]: "


@pytest.fixture
def daemon(start):
    """One for each test, so that lines of its log can be counted."""
    running = start("pep3333", threads=3)
    running.expect(WORKER_LINES)
    return running


def test_W6_errors_takes_text_lines_and_unicode(daemon):
    assert daemon.get("/errors").body == b"errors"
    for text in ("written", "line one", "line two"):
        daemon.wait_line(WORKER_LINES + ".*" + text)


def test_W6_errors_outlives_its_request_and_thread(daemon):
    assert daemon.get("/errors_later").body == b"soon"
    daemon.gate.arrival().release()
    daemon.wait_line(WORKER_LINES + ".*from another thread")


def stop_and_count(daemon, name):
    """How often close() ran, when all that will ever be logged is logged."""
    daemon.stop()
    return daemon.count("closed " + name)


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("length", "10", 200),
        ("length", "7", 200),
        ("late_failure", "", 500),
        ("no_start", "", 500),
        ("wrong_block", "str", 500),
    ],
)
def test_W12_close_is_called_once(daemon, path, query, status):
    assert daemon.get("/" + path, query=query).status == status
    daemon.wait_line("closed " + path)
    assert stop_and_count(daemon, path) == 1


def test_W12_close_is_called_when_nothing_of_the_body_is_wanted(daemon):
    assert daemon.get("/length", query="10", method="HEAD").status == 200
    daemon.wait_line("closed length")
    assert stop_and_count(daemon, "length") == 1


def test_W12_a_failing_close_is_logged_and_harmless(daemon):
    assert daemon.get("/failing_close").body == b"fine"
    daemon.wait_line("RuntimeError: close failed")
    assert daemon.get("/single").status == 200


def test_W17_client_gone_ends_the_iteration(daemon):
    connection = daemon.connect()
    connection.send(fastcgi.request(cgi.variables("/endless")))
    assert len(next(connection.blocks())) > 0
    connection.close()
    daemon.wait_line("closed endless")
    assert daemon.get("/single").status == 200
    assert stop_and_count(daemon, "endless") == 1
    assert daemon.count("Traceback|BrokenPipe") == 0


@pytest.mark.parametrize("way", ["yields", "writes"])
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("POST", 304)])
def test_W17_who_has_the_whole_answer_with_its_head_is_not_gone(daemon, method, status, way):
    answer = daemon.get("/committing", query=f"{status}-{way}", method=method)
    assert (answer.status, answer.body) == (status, b"")
    daemon.gate.arrival().release()
    daemon.wait_line("closed committing")
    assert stop_and_count(daemon, "committing") == 1
    assert daemon.count("committed") == 1
    assert daemon.count("rolled back|Traceback|ClientGone") == 0


def test_W17_one_that_writes_without_end_gets_its_time_and_is_ended(start):
    daemon = start("endless_write")
    answer = daemon.get("/", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    daemon.wait_line("told: the client has the whole response, which is its head")
    daemon.stop()
    assert daemon.count("Traceback|failed") == 0


@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "GeneratorExit"])
def test_W22_what_ends_programs_ends_one_request(daemon, name):
    workers = daemon.workers
    answer = daemon.get("/ends", query=name)
    assert answer.status == 500 and name.encode() not in answer.body
    daemon.wait_line(name)
    assert daemon.get("/single").status == 200
    assert daemon.workers == workers


def test_W23_call_iteration_and_close_share_a_thread(daemon):
    for _ in range(4):
        mark = daemon.mark()
        assert daemon.get("/threads").status == 200
        daemon.wait_line("close in the same thread: True", since=mark)


def test_W24_running_requests_have_threads_of_their_own(daemon):
    """No greenlets: as many native threads are inside the application as there are requests."""
    connections = [daemon.connect() for _ in range(3)]
    for connection in connections:
        connection.send(fastcgi.request(cgi.variables("/waiting")))
    visitors = [daemon.gate.arrival() for _ in connections]
    assert len({visitor.thread for visitor in visitors}) == 3
    assert len({visitor.pid for visitor in visitors}) == 1
    for visitor in visitors:
        visitor.release()
    for connection in connections:
        assert connection.answer().status == 200
        connection.close()


def test_failure_in_the_middle_cuts_the_response_visibly(daemon):
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/cut"), flags=fastcgi.KEEP))
        assert cgi.parse(connection.broken_answer()).body == b"begun"
    daemon.wait_line("cut in the middle")
    assert daemon.get("/single").status == 200
