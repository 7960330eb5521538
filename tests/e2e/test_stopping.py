"""The end of workers with requests that last: told of it, cut after stop-timeout, then killed."""

import signal
import time

import pytest
from harness import cgi, fastcgi, processes

# What a cut request says.
CUT = (
    r"error leaving/1\[\d+\]: request \S+ \(GET \S+\): not over",
)


def ask(daemon, path):
    connection = daemon.connect()
    connection.send(fastcgi.request(cgi.variables(path)))
    return connection


def begin(daemon, path):
    """A connection whose answer has begun."""
    connection = ask(daemon, path)
    connection.next_id()
    return connection


def test_a_stream_is_cut_after_stop_timeout_and_python_ends_in_order(start):
    daemon = start("leaving", "--stop-timeout", "2s")
    daemon.expect(*CUT)
    with begin(daemon, "/stream") as connection:
        daemon.signal(signal.SIGTERM)
        assert connection.broken_answer().endswith(b"begun")
    assert daemon.process.wait(20) == 0
    daemon.wait_line(r'warning leaving/1\[\d+\]: not idle 2s after it was to end .*"stop-timeout"')
    daemon.wait_line(r"\(GET /stream\): not over 2s after its worker was to end .*; its answer is cut")
    daemon.wait_line("ended by pycgid.RequestTimeout")
    daemon.wait_line("cleaned up")
    daemon.wait_line("at_exit has run")
    daemon.wait_line("atexit has run")
    assert daemon.count("kill") == 0


def test_a_stream_that_asks_ends_by_itself(start):
    daemon = start("leaving", "--stop-timeout", "60s")
    with begin(daemon, "/polite") as connection:
        daemon.signal(signal.SIGTERM)
        assert connection.answer().text == "begun, and ended"
    assert daemon.process.wait(20) == 0


def test_a_stream_that_asks_ends_at_a_reload(start):
    daemon = start("leaving", "--stop-timeout", "60s")
    old = daemon.only_worker()
    with begin(daemon, "/polite") as connection:
        daemon.signal(signal.SIGHUP)
        assert connection.answer().text == "begun, and ended"
    assert processes.wait_gone(old)


def test_what_an_old_generation_still_runs_is_cut(start):
    daemon = start("leaving", "--stop-timeout", "2s")
    daemon.expect(*CUT, "not idle")
    old = daemon.only_worker()
    with begin(daemon, "/stream") as connection:
        daemon.signal(signal.SIGHUP)
        assert connection.broken_answer().endswith(b"begun")
    daemon.wait_line("cleaned up")
    daemon.wait_line(rf"leaving/1\[{old}\]: atexit has run")
    assert daemon.count("killing it") == 0


def test_what_waits_for_a_thread_when_the_daemon_ends_is_refused(start):
    daemon = start("leaving", "--stop-timeout", "1s", threads=1)
    daemon.expect(*CUT, "not idle", r"answered 503: the daemon is stopping")
    with begin(daemon, "/stream") as stream:
        waiting = [ask(daemon, "/wait") for _ in range(20)]
        daemon.signal(signal.SIGTERM)
        assert stream.broken_answer().endswith(b"begun")
        statuses = {connection.answer().status for connection in waiting}
    assert statuses <= {503, 504}
    assert daemon.process.wait(20) == 0


def wait_for_both_ends(daemon, pid=r"\d+"):
    """What the application wants done at the end is done once."""
    daemon.wait_line(rf"leaving/1\[{pid}\]: at_exit has run")
    daemon.wait_line(rf"leaving/1\[{pid}\]: atexit has run")
    assert daemon.count("at_exit has run") == daemon.count("atexit has run") == 1
    assert daemon.count("killing it") == daemon.count("killed by") == 0


def test_threads_that_keep_a_worker_from_ending_are_named(start):
    daemon = start("leaving", "--stop-timeout", "1s")
    daemon.expect("not idle", "stop-timeout")
    assert daemon.get("/job").text == "begun"
    begun = time.monotonic()
    daemon.signal(signal.SIGTERM)
    daemon.wait_line(
        r"warning leaving/1\[\d+\]: threads of the application still run, and keep the worker from "
        r'ending: "the job" \(.*threading.py:\d+ in wait\)'
    )
    assert daemon.process.wait(20) == 0
    wait_for_both_ends(daemon)
    assert time.monotonic() - begun < 15


@pytest.mark.parametrize("more", [[], ["--preload"]])
@pytest.mark.parametrize("stuck", [1, 2])
def test_a_request_that_cannot_be_cut_deprives_nobody_of_atexit(start, stuck, more):
    """With two of two threads stuck the main thread is one of them."""
    daemon = start("leaving", "--stop-timeout", "2s", *more, processes=1, threads=2)
    daemon.expect(*CUT, "not idle", "are left behind")
    connections = [begin(daemon, "/stuck") for _ in range(stuck)]
    daemon.signal(signal.SIGTERM)
    assert daemon.process.wait(20) == 0
    name = r'"(MainThread|request-2)" \(.*leaving.py:\d+ in stuck\)'
    daemon.wait_line(
        r"warning leaving/1\[\d+\]: requests that do not end are left behind: "
        + ", ".join([name] * stuck)
        + r' \(option "stop-timeout"\)'
    )
    wait_for_both_ends(daemon)
    for connection in connections:
        connection.close()


def test_a_request_that_cannot_be_cut_does_not_keep_an_old_generation(start):
    daemon = start("leaving", "--stop-timeout", "2s", threads=1)
    daemon.expect(*CUT, "not idle", "are left behind")
    old = daemon.only_worker()
    with begin(daemon, "/stuck"):
        daemon.signal(signal.SIGHUP)
        assert processes.wait_gone(old)
    wait_for_both_ends(daemon, old)


def test_a_request_that_outlives_its_gateway_deprives_nobody_of_atexit(start, tmp_path):
    told = tmp_path / "told"
    daemon = start("leaving", "--stop-timeout", "1s", "--env", f"TOLD={told}", threads=1)
    daemon.expect("gateway", "exited with status 0")
    old = daemon.only_worker()
    with begin(daemon, "/stuck"):
        processes.kill(daemon.gateway)
        assert processes.wait_gone(old)
    assert told.read_text("utf-8").split("\n") == ["at_exit has run", "atexit has run", ""]
    assert daemon.count("killing it") == 0


def test_a_request_that_lets_no_thread_run_is_killed_with_its_worker(start):
    daemon = start("leaving", "--stop-timeout", "1s")
    daemon.expect(*CUT, "not idle", "killed by signal 9", "killing it")
    with begin(daemon, "/stuck_for_all"):
        daemon.signal(signal.SIGTERM)
        daemon.wait_line(r'still there 1s after its requests were cut \(option "stop-timeout"\), kill')
        assert daemon.process.wait(20) == 0
    assert daemon.count("has run") == 0
