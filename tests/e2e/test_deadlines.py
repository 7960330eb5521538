"""Requests that run for too long: slow-request, request-timeout, and what becomes of the process."""

import os
import re
import signal
import time

import pytest
from harness import cgi, fastcgi, processes
from harness.daemon import LINE
from harness.fastcgi import KEEP

SLOWNESS = int(os.environ.get("PYCGID_SLOWNESS", "1"))
ENDED = "ended by pycgid.RequestTimeout"


def ask(daemon, path):
    """A connection with a request under way."""
    connection = daemon.connect()
    connection.send(fastcgi.request(cgi.variables(path)))
    return connection


def wait_for_text(path, text, deadline=10):
    """Waits until a file, which another process appends to, has the text."""
    limit = time.monotonic() + deadline
    while not path.exists() or text not in path.read_text():
        assert time.monotonic() < limit, f"no {text!r} in {path}"
        os.sched_yield()


def expect_timeout(daemon):
    """What a request that runs into its deadline says."""
    daemon.expect(
        r"error slow/1\[\d+\]: request \S+ \(GET \S+\): ran longer than",
        r"error slow/1\[\d+\]: \[\S+\] (GET \S+: stack,|\|   File )",
    )


def seconds_of_timeouts(daemon, path, count):
    """Sends requests that will time out all at once, and says when each had its 504."""
    begun = time.monotonic()
    connections = [ask(daemon, path) for _ in range(count)]
    seconds = []
    for connection in connections:
        assert connection.answer().status == 504
        seconds.append(time.monotonic() - begun)
        connection.close()
    return seconds


# --- slow-request ---


def test_a_slow_request_is_logged_once_and_goes_on(start):
    daemon = start("slow", "--slow-request", "200ms")
    with ask(daemon, "/wait") as connection:
        visitor = daemon.gate.arrival()
        found = daemon.wait_line(
            r"warning slow/1\[\d+\]: request (\S+) \(GET /wait\): runs longer than 200ms "
            r'\(option "slow-request"\)'
        )
        mark = rf"warning slow/1\[\d+\]: \[{re.escape(found[1])}\] "
        daemon.wait_line(mark + r"GET /wait: stack, most recent call first")
        daemon.wait_line(mark + r'\|   File ".*gate_client.py", line \d+ in wait_at_gate')
        daemon.wait_line(mark + r'\|   File ".*slow.py", line \d+ in application')
        visitor.release()
        assert connection.answer().text == "whole"
    with ask(daemon, "/wait") as connection:
        visitor = daemon.gate.arrival()
        daemon.wait_line("runs longer than", since=daemon.mark())
        visitor.release()
        assert connection.answer().text == "whole"
    assert daemon.count("runs longer than") == 2
    assert daemon.count("GET /wait: stack") <= 2


def test_stacks_of_slow_requests_have_a_log_of_their_own(start, tmp_path):
    path = tmp_path / "slow.log"
    options = ("--slow-request", "200ms", "--slow-log", str(path))
    daemon = start("slow", *options)
    for turn in range(2):
        with ask(daemon, "/wait") as connection:
            visitor = daemon.gate.arrival()
            mark = daemon.mark()
            found = daemon.wait_line(r"request (\S+) \(GET /wait\): runs longer", since=mark)
            wait_for_text(path, f"[{found[1]}] |   File ")
            wait_for_text(path, "in application")
            visitor.release()
            assert connection.answer().text == "whole"
        if turn == 0:  # As log rotation does.
            path.rename(tmp_path / "slow.log.1")
            daemon.signal(signal.SIGUSR1)
            daemon.wait_line("opened anew")
    assert daemon.count("stack, most recent call first") == 0
    assert all(LINE.fullmatch(line) for line in path.read_text().splitlines())


def test_a_request_that_waits_for_a_thread_is_not_slow(start):
    daemon = start("slow", "--slow-request", "300ms", threads=1)
    with ask(daemon, "/wait") as first:
        visitor = daemon.gate.arrival()
        with ask(daemon, "/") as waiting:
            daemon.wait_line(r"\(GET /wait\): runs longer than")
            visitor.release()
            assert first.answer().status == waiting.answer().status == 200
    assert daemon.count(r"\(GET /\): runs longer than") == 0


def test_slow_requests_are_told_also_where_python_stands_still(start):
    """In C code that holds the GIL: its stack is had all the same."""
    daemon = start("slow", "--slow-request", "200ms", "--stop-timeout", "300ms")
    with ask(daemon, "/match"):
        daemon.wait_line(r'  File ".*slow.py", line \d+ in match_for_ever')
    daemon.expect("stop-timeout", "killed by signal 9")


# --- request-timeout ---


def test_answers_504_in_time_with_all_threads_busy(start):
    daemon = start("slow", "--request-timeout", "1s", threads=4)
    expect_timeout(daemon)
    worker = daemon.only_worker()
    latest = []
    for turn in range(1, 4):
        seconds = seconds_of_timeouts(daemon, "/spin", 4)
        assert min(seconds) >= 0.99
        latest.append(max(seconds))
        for _ in range(4):
            daemon.wait_line(r'File ".*slow.py", line \d+ in spin')
        while daemon.count(ENDED) < 4 * turn:
            daemon.wait_line(ENDED, since=daemon.mark())
    # The machine may have had something else to do, but not each time.
    assert min(latest) < 1 + 0.1 * SLOWNESS
    # Each thread is itself again.
    connections = [ask(daemon, "/wait") for _ in range(4)]
    visitors = [daemon.gate.arrival() for _ in range(4)]
    assert {visitor.pid for visitor in visitors} == {worker}
    for visitor in visitors:
        visitor.release()
    for connection in connections:
        assert connection.answer().text == "whole"
        connection.close()


def test_others_in_the_process_are_left_alone(start):
    daemon = start("slow", "--request-timeout", "500ms", threads=2)
    expect_timeout(daemon)
    with ask(daemon, "/spin") as stuck:
        for _ in range(20):
            assert daemon.get("/").text == "whole"
        assert stuck.answer().status == 504
    daemon.wait_line(ENDED)
    assert daemon.get("/").text == "whole"


@pytest.mark.parametrize("path", ["/spin-broadly", "/tidy"])
def test_what_catches_exceptions_in_general_does_not_catch_it(start, path):
    daemon = start("slow", "--request-timeout", "200ms")
    expect_timeout(daemon)
    assert daemon.get(path).status == 504
    if path == "/tidy":
        daemon.wait_line(r"\[\S+\] tidied up")
    daemon.wait_line(ENDED)


def test_an_answer_that_has_begun_is_cut(start):
    daemon = start("slow", "--request-timeout", "300ms")
    expect_timeout(daemon)
    with ask(daemon, "/drip") as connection:
        assert connection.broken_answer().endswith(b"begun")
    daemon.wait_line(r'\(option "request-timeout"\); its answer is cut')


def test_close_may_not_run_for_ever_either(start):
    daemon = start("slow", "--request-timeout", "300ms", threads=1)
    daemon.expect(r"error slow/1")
    assert daemon.get("/close").text == "whole"
    daemon.wait_line("a request that nobody waits for any more: ran longer than 300ms")
    daemon.wait_line(r"GET /close: close\(\) of the response failed")
    assert daemon.get("/").text == "whole"


def test_never_ends_the_next_request(start):
    """The exception is on its way when the request ends."""
    daemon = start("slow", "--request-timeout", "300ms", threads=1)
    expect_timeout(daemon)
    with daemon.connect() as connection:
        for path in ("/sleeping-close", "/"):
            mark = daemon.mark()
            connection.send(fastcgi.request(cgi.variables(path), flags=KEEP))
            answer = connection.answer()
            assert (answer.status, answer.text) == (200, "whole")
            if path != "/":
                daemon.wait_line("ran longer than 300ms", since=mark)
    daemon.expect("nobody waits for")
    assert daemon.count(ENDED) == 0


# --- a thread that does not end ---


def stuck_daemon(start, **settings):
    daemon = start("slow", "--request-timeout", "300ms", "--stop-timeout", "1s", **settings)
    expect_timeout(daemon)
    daemon.expect(r"\(option \"stop-timeout\"\), killing it")
    return daemon


@pytest.mark.parametrize(
    "path,function", [("/match", "match_for_ever"), ("/lock", "acquire"), ("/spin-on", "spin")]
)
def test_a_stuck_process_is_replaced(start, path, function):
    daemon = stuck_daemon(start)
    old = daemon.only_worker()
    (seconds,) = seconds_of_timeouts(daemon, path, 1)
    assert 0.29 < seconds < 5
    daemon.wait_line(rf'  File ".*", line \d+ in {function}')
    daemon.wait_line("still runs 1s after its timeout")
    assert processes.wait_gone(old)
    assert daemon.get("/").text == "whole"
    assert old not in daemon.workers


def test_requests_beside_a_stuck_one_finish(start):
    daemon = start("slow", "--request-timeout", "2s", "--stop-timeout", "3s", threads=2)
    expect_timeout(daemon)
    old = daemon.only_worker()
    with ask(daemon, "/lock") as stuck, ask(daemon, "/wait") as beside:
        daemon.gate.arrival().release()
        assert stuck.answer().status == 504
        assert beside.answer().text == "whole"
    with ask(daemon, "/wait") as during:
        visitor = daemon.gate.arrival()
        assert visitor.pid == old
        visitor.release()
        assert during.answer().text == "whole"
    daemon.wait_line("still runs 3s after its timeout")
    daemon.expect("stop-timeout")
    assert processes.wait_gone(old)
    assert daemon.get("/").text == "whole"
