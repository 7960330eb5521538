"""pycgidctl status: every figure of all pools, in three forms; and the same on status pages."""

import json
import os

import pytest
from harness import cgi, ctl, daemon, fastcgi
from harness.daemon import APPS
from harness.fastcgi import KEEP
from harness.gate import Gate
from prometheus_client.openmetrics.parser import text_string_to_metric_families

APPLICATION = """
from gate_client import wait_at_gate

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/wait":
        wait_at_gate("wait")
    start_response("503 Later" if path == "/503" else "200 OK", [("Content-Type", "text/plain")])
    return [b"VERSION"]
"""


class Pools:
    """A daemon with the pools blog and shop, each with an application of its own."""

    def __init__(self, start, directory):
        os.chmod(directory, 0o755)
        self._start = start
        self.directory = directory
        self.control = str(directory / "control")
        self.gate = Gate(str(directory))

    def write(self, name, version="", text=APPLICATION):
        (self.directory / "new").write_text(text.replace("VERSION", version))
        os.rename(self.directory / "new", self.directory / f"{name}_app.py")

    def section(self, name, *more):
        lines = [
            f"[{name}]",
            f"app = {name}_app",
            f"chdir = {self.directory}",
            f"pythonpath = {APPS}",
            f"fastcgi = unix:{self.directory}/{name}.sock",
            "threads = 2",
            "status-path = /-/status",
            f"env = GATE={self.gate.path}",
            *more,
        ]
        lines += ["allow-root = yes"] if os.geteuid() == 0 else []
        lines += [f"env = {setting}" for setting in daemon.worker_env()]
        return "\n".join(lines)

    def start(self, blog=APPLICATION, shop=APPLICATION):
        self.write("blog", "one", blog)
        self.write("shop", "one", shop)
        file = self.directory / "pycgid.conf"
        sections = [self.section("blog", "processes = 2"), self.section("shop", "processes = 1")]
        file.write_text("\n".join([f"control = {self.control}", *sections, ""]))
        self.daemon = self._start(None, config=str(file))
        for name in ("blog", "shop"):
            self.daemon.wait_line(rf'ready: pool "{name}"|pool "{name}" does not start')
        return self.daemon

    def get(self, pool, path="/", query=""):
        return fastcgi.fetch(f"{self.directory}/{pool}.sock", cgi.variables(path, query=query))

    def ctl(self, *arguments):
        return ctl.run(*arguments, control=self.control)

    def status(self):
        """The JSON of it, pools by name."""
        done = self.ctl("status", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        status = json.loads(done.stdout)
        status["pools"] = {pool["pool"]: pool for pool in status["pools"]}
        return status


@pytest.fixture
def pools(start, tmp_path):
    pools = Pools(start, tmp_path)
    yield pools
    pools.gate.close()


def test_json_has_the_whole_daemon(pools):
    running = pools.start()
    for _ in range(3):
        pools.get("blog")
    pools.get("shop", "/503")
    status = pools.status()
    assert status["master_pid"] == running.process.pid
    assert status["gateway_pid"] == running.gateway
    assert status["version"] and status["start_time"].endswith("Z") and status["problem"] is None
    assert status["uptime_seconds"] > 0
    blog, shop = status["pools"]["blog"], status["pools"]["shop"]
    expected = {
        "state": "serving",
        "accepted_connections": 3,
        "requests": 3,
        "queue": 0,
        "max_queue": 0,
        "queue_limit": 1000,
        "total_threads": 4,
        "limit_reached": 0,
        "slow_requests": 0,
        "generation": 1,
        "starting_generation": None,
        "last_reload": None,
        "worker_deaths": 0,
    }
    assert {name: blog[name] for name in expected} == expected
    assert blog["idle_threads"] + blog["active_threads"] == 4
    assert blog["max_active_threads"] >= 1 and blog["uptime_seconds"] >= 0
    assert blog["duration"]["count"] == blog["queue_time"]["count"] == 3
    assert shop["failures"]["application"] == 1 and shop["timeouts"]["queue-timeout"] == 0
    assert [worker["name"] for worker in blog["workers"]] == ["blog/1", "blog/2"]
    for worker in blog["workers"] + shop["workers"]:
        assert worker["pid"] in running.workers and worker["state"] in ("idle", "busy")
        assert worker["memory_bytes"] > 1_000_000 and worker["cpu_seconds"] > 0
        assert worker["age_seconds"] > 0
    assert sum(worker["requests"] for worker in blog["workers"]) == 3


def test_a_request_in_progress_is_shown(pools):
    pools.start()
    with fastcgi.Connection(f"{pools.directory}/blog.sock") as connection:
        connection.send(fastcgi.request(cgi.variables("/wait", query="a\xff"), b"", 1, KEEP))
        visitor = pools.gate.arrival()
        (worker,) = [w for w in pools.status()["pools"]["blog"]["workers"] if w["current"]]
        (request,) = worker["current"]
        assert (worker["pid"], worker["state"]) == (visitor.pid, "busy")
        assert (request["method"], request["uri"]) == ("GET", "/wait?a\xff")
        assert request["running"] and request["duration_seconds"] >= 0
        assert "GET /wait?a\\xff\n" in pools.ctl("status").stdout
        visitor.release()
        assert connection.answer().status == 200


def test_openmetrics_of_all_pools_is_read_by_a_real_parser(pools):
    running = pools.start()
    for _ in range(3):
        pools.get("blog")
    running.expect("reload failed", r"shop/1")
    pools.write("shop", text="1 / 0\n")
    assert pools.ctl("reload", "shop").returncode == 1
    text = pools.ctl("status", "--openmetrics").stdout
    families = {}
    for family in text_string_to_metric_families(text):
        assert family.name not in families and family.documentation
        families[family.name] = family

    def value(name, **labels):
        (sample,) = [s for s in families[name].samples if s.labels == labels]
        return sample.value

    assert families["pycgid_gateway_up"].samples[0].value == 1
    assert families["pycgid_build"].samples[0].labels["version"]
    assert value("pycgid_requests", pool="blog") == 3
    assert value("pycgid_requests", pool="shop") == 0
    assert value("pycgid_up", pool="shop") == 1
    assert value("pycgid_failed_reloads", pool="shop") == 1
    assert value("pycgid_last_reload_successful", pool="shop") == 0
    assert value("pycgid_last_reload_timestamp_seconds", pool="shop") > 1_600_000_000
    assert len(families["pycgid_last_reload_successful"].samples) == 1
    names = {s.labels["worker"] for s in families["pycgid_worker_memory_bytes"].samples}
    assert names == {"blog/1", "blog/2", "shop/1"}
    info = families["pycgid_worker"].samples
    assert {s.labels["state"] for s in info} <= {"idle", "busy", "ending"}
    assert families["pycgid_worker_age_seconds"].type == "gauge"
    buckets = [s for s in families["pycgid_duration_seconds"].samples if s.name.endswith("_bucket")]
    assert {s.labels["pool"] for s in buckets} == {"blog", "shop"}


def test_the_table_for_people(pools):
    running = pools.start()
    pools.get("shop", "/503")
    lines = pools.ctl("status").stdout.splitlines()
    assert lines[0].startswith("pycgid ") and f"master {running.process.pid}" in lines[0]
    overview = {line.split()[0]: line.split() for line in lines[2:5]}
    assert list(overview) == ["POOL", "blog", "shop"]
    assert overview["blog"][1:4] == ["serving", "1", "2"]
    assert overview["shop"][-2:] == ["1", "none"]  # 5xx, last reload
    details = [line.split() for line in lines if line.startswith("  ")]
    assert ["5xx", "application", "1"] in details
    assert any(words[0] == "shop/1" and words[2] in ("idle", "busy") for words in details)


def test_reload_of_one_pool_leaves_the_other(pools):
    pools.start()
    pools.write("blog", "two")
    pools.write("shop", "two")
    done = pools.ctl("reload", "blog")
    assert (done.returncode, done.stdout) == (0, 'pool "blog": generation 2 serves\n')
    assert (pools.get("blog").body, pools.get("shop").body) == (b"two", b"one")
    assert pools.status()["pools"]["shop"]["last_reload"] is None
    assert pools.ctl("reload").stdout.count(" serves\n") == 2
    assert pools.get("shop").body == b"two"


def test_reload_of_an_unknown_pool(pools):
    pools.start()
    done = pools.ctl("reload", "blok")
    assert done.returncode == 1
    assert done.stderr == 'pycgidctl: there is no pool "blok"\n'


def test_reload_names_the_pools_that_failed(pools):
    running = pools.start()
    running.expect("reload failed", r"(blog|shop)/\d")
    pools.write("shop", text="1 / 0\n")
    pools.write("blog", "two")
    done = pools.ctl("reload")
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr
    assert done.stderr.startswith('pycgidctl: pool "shop": ') and done.stderr.count("\n") == 1
    assert (pools.get("blog").body, pools.get("shop").body) == (b"two", b"one")


def test_the_last_reload_on_status_pages(pools):
    running = pools.start()
    running.expect("reload failed", r"blog/\d")
    assert "last reload:          none" in pools.get("blog", "/-/status").text
    pools.write("blog", text="1 / 0\n")
    assert pools.ctl("reload", "blog").returncode == 1
    page = json.loads(pools.get("blog", "/-/status", "json").body)
    assert page["last_reload"]["ok"] is False and page["last_reload"]["generation"] == 2
    assert "ZeroDivisionError" in page["last_reload"]["reason"]
    assert (page["reloads"], page["failed_reloads"], page["generation"]) == (0, 1, 1)
    shown = pools.get("blog", "/-/status").text
    assert "last reload:          failed 20" in shown and "ZeroDivisionError" in shown
    assert (
        'pycgid_last_reload_successful{pool="blog"} 0\n'
        in pools.get("blog", "/-/status", "openmetrics").text
    )
    pools.write("blog", "two")
    assert pools.ctl("reload", "blog").returncode == 0
    page = json.loads(pools.get("blog", "/-/status", "json").body)
    assert page["last_reload"] == {**page["last_reload"], "ok": True, "generation": 3}
    assert (page["reloads"], page["failed_reloads"], page["generation"]) == (1, 1, 3)


def test_starting_and_draining_workers_are_shown(pools):
    pools.start()
    with fastcgi.Connection(f"{pools.directory}/shop.sock") as connection:
        connection.send(fastcgi.request(cgi.variables("/wait"), b"", 1, KEEP))
        busy = pools.gate.arrival()
        boot = "import gate_client; gate_client.wait_at_gate('boot')\n"
        pools.write("shop", "two", boot + APPLICATION)
        reload = ctl.begin("reload", "shop", control=pools.control)
        starting = pools.gate.arrival()
        shop = pools.status()["pools"]["shop"]
        states = {worker["pid"]: worker["state"] for worker in shop["workers"]}
        assert states == {busy.pid: "busy", starting.pid: "starting"}
        assert (shop["generation"], shop["starting_generation"]) == (1, 2)
        starting.release()
        assert reload.wait(30) == 0
        shop = pools.status()["pools"]["shop"]
        states = {worker["pid"]: worker["state"] for worker in shop["workers"]}
        assert states == {busy.pid: "draining", starting.pid: "idle"}
        (draining,) = [w for w in shop["workers"] if w["pid"] == busy.pid]
        assert draining["current"][0]["uri"] == "/wait" and draining["generation"] == 1
        busy.release()
        assert connection.answer().body == b"one"
    reload.communicate()


def test_deaths_are_counted(pools):
    running = pools.start()
    running.expect(r"blog/1\[\d+\]: was killed")
    victim = pools.status()["pools"]["blog"]["workers"][0]
    mark = running.mark()
    os.kill(victim["pid"], 9)
    running.wait_line(r"blog/1\[\d+\]: was killed by signal 9", since=mark)
    assert pools.status()["pools"]["blog"]["worker_deaths"] == 1


def test_a_pool_that_does_not_start(pools):
    pools.write("blog", "one")
    running = pools.start(shop="raise RuntimeError('no database')\n")
    running.expect(r'pool "shop" does not start', r"shop/1")
    running.wait_line(r'pool "shop" does not start')
    shop = pools.status()["pools"]["shop"]
    assert shop["state"] == "failed" and "no database" in shop["failure"]
    assert "no database" in pools.ctl("status").stdout
    done = pools.ctl("reload", "shop")
    assert done.returncode == 1
    assert "no database" in done.stderr and done.stderr.endswith("; it does not serve\n")
    pools.write("shop", "two")
    assert pools.ctl("reload", "shop").stdout.endswith(" serves\n")
    shop = pools.status()["pools"]["shop"]
    assert (shop["state"], shop["failure"]) == ("serving", None)
    assert pools.get("shop").body == b"two"


def test_reload_of_a_wrong_configuration_fails_with_its_reason(pools):
    running = pools.start()
    running.expect("reload failed: ")
    file = pools.directory / "pycgid.conf"
    right = file.read_text()
    file.write_text(right + "thraeds = 3\n")
    done = pools.ctl("reload")
    assert done.returncode == 1 and "thraeds" in done.stderr and "pycgid.conf:" in done.stderr
    assert done.stderr.endswith("; the old configuration stays in force\n")
    assert pools.get("blog").body == b"one"
    file.write_text(right.replace("[shop]", "[till]"))
    done = pools.ctl("reload")
    assert done.returncode == 0 and 'pool "till": generation 1 serves\n' in done.stdout
    assert set(pools.status()["pools"]) == {"blog", "till"}
    assert pools.ctl("reload").returncode == 0
