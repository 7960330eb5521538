"""Options status-path and ping-path: pages of the gateway's own, also when no thread is idle."""

import json
import os
import signal

import pytest
from harness import cgi, fastcgi
from harness.daemon import run
from harness.fastcgi import KEEP
from prometheus_client.openmetrics.parser import text_string_to_metric_families

PAGES = ("--status-path", "/-/status", "--ping-path", "/-/ping")
APPLICATION = """
from gate_client import wait_at_gate

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/wait":
        wait_at_gate("wait")
    if path == "/raise":
        raise ValueError("as asked")
    status = "503 Later" if path == "/unavailable" else "200 OK"
    start_response(status, [("Content-Type", "text/plain")])
    return [b"application"]
"""


@pytest.fixture
def site(start, tmp_path):
    """Starts the application with the pages and more options."""
    os.chmod(tmp_path, 0o755)
    (tmp_path / "waiting_app.py").write_text(APPLICATION)
    return lambda *options, **more: start(
        "waiting_app", *PAGES, *options, "--pythonpath", str(tmp_path), **more
    )


def page(daemon, query="", **more):
    answer = daemon.get("/-/status", QUERY_STRING=query, **more)
    assert answer.status == 200
    return answer


def figures(daemon, query="json"):
    return json.loads(page(daemon, query).body)


def plain(daemon, query=""):
    lines = (line.partition(":") for line in page(daemon, query).text.splitlines())
    return {name: value.strip() for name, _, value in lines}


def ask(stack, daemon, path, query=""):
    """Sends a request whose answer is not waited for."""
    connection = daemon.connect()
    stack.append(connection)
    connection.send(fastcgi.request(cgi.variables(path, query=query), b"", 1, KEEP))


def wait_queue(daemon, length):
    """Nothing tells when a request has arrived but the page itself; it is asked on a connection
    of its own, so that each look takes a turn of the gateway's loop."""
    for _ in range(1000):
        if figures(daemon)["queue"] == length:
            return
    pytest.fail(f"the queue has not reached {length}: {figures(daemon)}")


def test_ping(site):
    daemon = site()
    answer = daemon.get("/-/ping")
    assert (answer.status, answer.body) == (200, b"pong\n")
    assert answer.header("Cache-Control") == "no-store"
    assert daemon.get_scgi("/-/ping").body == b"pong\n"


def test_ping_answers_head_without_a_body(site):
    answer = site().get("/-/ping", REQUEST_METHOD="HEAD")
    assert (answer.status, answer.body, answer.header("Content-Length")) == (200, b"", "5")


@pytest.mark.parametrize("path", ["/-/pin", "/-/ping/", "/x/-/ping", "/", "/-/status2"])
def test_other_paths_are_the_applications(site, path):
    assert site().get(path).body == b"application"


def test_without_the_options_every_path_is_the_applications(start, tmp_path):
    os.chmod(tmp_path, 0o755)
    (tmp_path / "waiting_app.py").write_text(APPLICATION)
    daemon = start("waiting_app", "--pythonpath", str(tmp_path))
    assert daemon.get("/-/ping").body == b"application"


def test_an_authorizer_is_never_answered_by_a_page(site):
    fields = cgi.variables("/-/ping")
    daemon = site()
    answer = fastcgi.fetch(daemon.fastcgi, fields, role=fastcgi.AUTHORIZER)
    assert answer.body == b"application"


def test_the_full_path_counts_below_a_mount(site):
    daemon = site("--mount", "/-")
    assert daemon.get("/-/ping").body == b"pong\n"


def test_plain_text_has_what_php_fpm_shows(site):
    daemon = site(processes=2, threads=3)
    for _ in range(4):
        daemon.get("/")
    shown = plain(daemon)
    assert shown["pool"] == "waiting_app"
    assert shown["start time"].endswith("Z")
    expected = {
        "accepted connections": "5",
        "requests": "4",
        "queue": "0",
        "max queue": "0",
        "queue limit": "1000",
        "total threads": "6",
        "limit reached": "0",
        "slow requests": "0",
        "generation": "1",
        "5xx, application": "0",
    }
    assert {name: shown[name] for name in expected} == expected
    # The thread of the last request may still close what it returned.
    assert int(shown["idle threads"]) + int(shown["active threads"]) == 6
    assert page(daemon).header("Content-Type") == "text/plain; charset=utf-8"
    assert "worker" not in shown


def test_full_shows_the_workers(site):
    daemon = site(processes=2)
    workers = figures(daemon, "json&full")["workers"]
    assert sorted(worker["pid"] for worker in workers) == daemon.workers
    assert sorted(worker["name"] for worker in workers) == ["waiting_app/1", "waiting_app/2"]
    for worker in workers:
        assert worker["state"] == "idle" and worker["current"] == []
        assert worker["memory_bytes"] > 1_000_000 and worker["cpu_seconds"] > 0
        assert worker["age_seconds"] > 0 and worker["generation"] == 1
    assert plain(daemon, "full")["state"] == "idle"


def test_status_while_all_threads_are_busy_and_the_queue_is_full(site):
    daemon = site("--max-queue", "2", threads=2)
    connections = []
    for _ in range(2):
        ask(connections, daemon, "/wait", '"quoted"\xff')
    visitors = [daemon.gate.arrival() for _ in range(2)]
    for _ in range(2):
        ask(connections, daemon, "/wait")
    wait_queue(daemon, 2)
    daemon.expect(r"the queue is full")
    assert daemon.get("/").status == 503
    assert daemon.get("/-/ping").body == b"pong\n"
    shown = figures(daemon, "full&json")
    assert (shown["active_threads"], shown["idle_threads"], shown["queue"]) == (2, 0, 2)
    assert (shown["max_queue"], shown["limit_reached"]) == (2, 1)
    assert shown["failures"]["queue full"] == 1
    (worker,) = shown["workers"]
    running = [request for request in worker["current"] if request["running"]]
    assert worker["state"] == "busy" and len(running) == 2
    assert {request["uri"] for request in running} == {'/wait?"quoted"\xff'}
    assert all(request["method"] == "GET" and request["id"] for request in running)
    assert all(request["duration_seconds"] > 0 for request in running)
    assert plain(daemon, "full")["running request"].endswith('GET /wait?"quoted"\\xff')
    for visitor in visitors:
        visitor.release()
    for _ in range(2):
        daemon.gate.arrival().release()
    for connection in connections:
        assert connection.answer().status == 200
        connection.close()
    shown = figures(daemon)
    assert (shown["queue"], shown["max_active_threads"]) == (0, 2)
    assert shown["duration"]["count"] == shown["queue_time"]["count"] == 4
    # Two of them waited at least as long as the test looked at them, and no thread was idle.
    assert shown["queue_time"]["up_to"]["0.001"] < 4
    assert 0 < shown["queue_time"]["sum_seconds"] < shown["duration"]["sum_seconds"]


def test_failures_by_cause(site):
    daemon = site("--queue-timeout", "50ms", threads=1)
    daemon.expect(r"request \S+ \(GET .*answered 50", r" waiting_app/1\[\d+\]: ")
    assert daemon.get("/raise").status == 500
    assert daemon.get("/unavailable").status == 503
    with daemon.connect() as first:
        first.send(fastcgi.request(cgi.variables("/wait"), b"", 1, KEEP))
        visitor = daemon.gate.arrival()
        assert daemon.get("/").status == 503
        os.kill(visitor.pid, signal.SIGKILL)
        assert first.answer().status == 502
    shown = figures(daemon)
    assert shown["failures"] == {
        "application": 2,
        "worker died": 1,
        "queue full": 0,
        "queue timeout": 1,
        "request timeout": 0,
        "not started": 0,
        "internal": 0,
    }
    assert shown["timeouts"]["queue-timeout"] == 1


def test_slow_requests_and_requests_that_time_out(site):
    daemon = site("--slow-request", "20ms", "--request-timeout", "60ms")
    daemon.expect(r" waiting_app/1\[\d+\]: ")
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/wait"), b"", 1, KEEP))
        daemon.gate.arrival()
        assert connection.answer().status == 504
    shown = figures(daemon)
    assert shown["slow_requests"] == 1
    assert shown["failures"]["request timeout"] == shown["timeouts"]["request-timeout"] == 1


def test_timeouts_by_option(site):
    daemon = site("--params-timeout", "50ms", "--body-timeout", "50ms")
    with daemon.connect() as connection:
        connection.send(fastcgi.begin(1, flags=KEEP))
        assert connection.answer().status == 408
    with daemon.connect() as connection:
        fields = cgi.variables("/", "POST", length=5)
        connection.send(fastcgi.begin(1, flags=KEEP) + fastcgi.params(fields))
        assert connection.answer().status == 408
    timeouts = figures(daemon)["timeouts"]
    assert (timeouts["params-timeout"], timeouts["body-timeout"]) == (1, 1)


def test_openmetrics_is_read_by_a_real_parser(site):
    daemon = site(processes=2)
    for _ in range(3):
        daemon.get("/")
    answer = page(daemon, "openmetrics")
    assert answer.header("Content-Type").startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert families["pycgid_requests"].type == "counter"
    (sample,) = families["pycgid_requests"].samples
    assert (sample.name, sample.value) == ("pycgid_requests_total", 3)
    assert sample.labels == {"pool": "waiting_app"}
    assert families["pycgid_total_threads"].type == "gauge"
    assert families["pycgid_total_threads"].samples[0].value == 4
    assert families["pycgid_duration_seconds"].type == "histogram"
    buckets = [s for s in families["pycgid_duration_seconds"].samples if s.name.endswith("_bucket")]
    assert buckets[-1].labels["le"] == "+Inf" and buckets[-1].value == 3
    assert len(families["pycgid_worker_memory_bytes"].samples) == 2
    causes = {s.labels["cause"] for s in families["pycgid_failures"].samples}
    assert "queue full" in causes


def test_pages_must_be_paths():
    for option in ("--status-path", "--ping-path"):
        ended = run(option, "status", "app")
        assert ended.returncode == 64 and 'must begin with "/"' in ended.stderr
