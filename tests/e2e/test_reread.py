"""HUP reads the configuration again: what changed comes into force, what did not is left alone."""

import os
import signal

import pytest
from harness import cgi, fastcgi, processes, scgi
from harness.fastcgi import KEEP
from harness.reread import RereadSite, Running, ask, reloaded, wait_for


@pytest.fixture
def site(tmp_path):
    made = RereadSite(tmp_path)
    yield made
    made.gate.close()


# --- pools that come and go ---


def test_a_pool_is_added(start, site):
    running = Running(start, site, site.pool("blog"))
    with site.connect("blog") as kept:
        assert ask(kept) == "one - "
        lines = ['notice .*pool "shop" is added', 'notice .*ready: pool "shop", 1 worker']
        running.reread(site.pool("blog"), site.pool("shop", "two"), lines=lines)
        assert site.text("shop") == "two - "
        assert ask(kept) == "one - "


def test_a_pool_that_is_added_and_does_not_start_answers_503(start, site):
    running = Running(start, site, site.pool("blog"))
    running.daemon.expect(r"shop/1\[\d+\]: ", "the pool does not start")
    broken = site.pool("shop", "late")
    running.reread(site.pool("blog"), broken, lines=['error .*pool "shop" does not start: .*late'])
    assert site.get("shop").status == 503 and site.text("blog") == "one - "
    site.deploy("late")
    running.daemon.wait_line('ready: pool "shop"', 20)
    assert site.text("shop") == "late - "


def test_a_pool_is_removed(start, site):
    running = Running(start, site, site.pool("blog"), site.pool("shop"))
    (worker,) = [pid for pid in running.daemon.workers if "shop" in processes.title(pid)]
    with site.connect("shop") as idle, site.connect("shop") as busy, site.connect("blog") as other:
        assert ask(idle) == ask(other) == "one - "
        busy.send(fastcgi.request(cgi.variables("/wait"), flags=KEEP))
        visitor = site.gate.arrival()
        mark = running.reread(site.pool("blog"), lines=['notice .*pool "shop" is removed'])
        site.wait_no_socket("shop")
        assert idle.at_end(), "an idle connection closes"
        visitor.release()
        assert busy.answer().body == b"one - " and busy.at_end()
        assert processes.wait_gone(worker)
        assert ask(other) == "one - "
    running.daemon.wait_line('reloaded pool "blog"', since=mark)
    with pytest.raises(OSError):
        site.get("shop")


def test_what_waits_in_the_backlog_of_a_removed_pool_is_answered(start, site):
    few = "max-connections = 1"
    running = Running(start, site, few, site.pool("blog"), site.pool("shop"))
    running.daemon.expect('option "max-connections"')
    with site.connect("blog") as first:
        assert ask(first) == "one - "
        with site.connect("shop") as waiting:  # in the backlog: there is no room
            waiting.send(fastcgi.request(cgi.variables()))
            lines = ['pool "shop" is removed', reloaded("blog")]
            running.reread(few, site.pool("blog"), lines=lines, over=first)
            first.close()
            assert waiting.answer().body == b"one - "


def test_a_removed_pool_whose_request_never_ends(start, site):
    short = {"stop_timeout": "200ms", "threads": 1}
    running = Running(start, site, site.pool("blog"), site.pool("shop", **short))
    running.daemon.expect(r"shop/1\[\d+\]: ", "request .*GET /")
    with site.connect("shop") as busy, site.connect("shop") as queued:
        busy.send(fastcgi.request(cgi.variables("/wait"), flags=KEEP))
        site.gate.arrival()
        queued.send(fastcgi.request(cgi.variables(), flags=KEEP))
        running.reread(site.pool("blog"), lines=["not idle 200ms after it was to end", "cutting its requests"])
        assert busy.answer().status == 504 and queued.answer().status == 503
        assert busy.at_end() and queued.at_end()


def test_a_pool_that_was_removed_comes_again(start, site):
    running = Running(start, site, site.pool("blog"), site.pool("shop"))
    running.reread(site.pool("blog"), lines=['pool "shop" is removed'])
    running.reread(site.pool("blog"), site.pool("shop", "two"), lines=['ready: pool "shop"'])
    assert site.text("shop") == "two - "


def test_a_pool_is_renamed_and_keeps_its_socket(start, site):
    running = Running(start, site, site.pool("blog"))
    inode = os.stat(site.socket("blog")).st_ino
    site_pool = site.pool("web", "two", fastcgi=f"unix:{site.socket('blog')}")
    running.reread(site_pool, lines=['pool "blog" is removed', 'ready: pool "web"'])
    assert os.stat(site.socket("blog")).st_ino == inode
    assert site.text("blog") == "two - "


# --- pools that change ---


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"env": "COLOUR=red"}, "one red "),
        ({"mount": "/app"}, "one - /app"),
        ({"app": "two"}, "two - "),
        ({"threads": 3}, "one - "),
        ({"processes": 2}, "one - "),
    ],
)
def test_a_pool_changes(start, site, options, text):
    running = Running(start, site, site.pool("blog"))
    old = running.daemon.workers
    with site.connect("blog") as kept:
        ask(kept)
        (name,) = options
        changed = [f'notice .*pool "blog" changes: option "{name}"', reloaded("blog")]
        running.reread(site.pool("blog", **options), lines=changed)
        path = "/app/" if name == "mount" else "/"
        assert ask(kept, path) == text and site.text("blog", path) == text
    for pid in old:
        assert processes.wait_gone(pid)
    assert len(running.daemon.workers) == options.get("processes", 1)
    status = site.status("blog")
    threads = options.get("threads", 2) * options.get("processes", 1)
    assert status["total_threads"] == threads and status["accepted_connections"] >= 2


def test_a_pool_is_left_alone_while_another_changes(start, site):
    running = Running(start, site, site.pool("blog"), site.pool("shop"))
    with site.connect("blog") as kept, site.connect("blog") as busy:
        assert ask(kept) == "one - "
        busy.send(fastcgi.request(cgi.variables("/wait"), flags=KEEP))
        visitor = site.gate.arrival()
        before = site.status("blog")
        inode = os.stat(site.socket("blog")).st_ino
        lines = [reloaded("blog"), reloaded("shop")]
        running.reread(site.pool("blog"), site.pool("shop", env="COLOUR=red"), lines=lines)
        visitor.release()
        assert busy.answer().body == b"one - " and ask(kept) == "one - "
        after = site.status("blog")
    assert after["start_time"] == before["start_time"] and after["requests"] == before["requests"] + 1
    assert after["accepted_connections"] > before["accepted_connections"]
    assert after["generation"] == 2, "its application was loaded anew"
    assert os.stat(site.socket("blog")).st_ino == inode
    assert running.daemon.count('"blog" changes') == 0


def test_limits_of_kept_connections_change(start, site):
    running = Running(start, site, site.pool("blog", max_params="1K", max_body="10"))
    large = cgi.variables("/", "POST", length=20, HTTP_X="x" * 2000)
    with site.connect("blog") as kept:
        kept.send(fastcgi.request(large, b"y" * 20, flags=KEEP))
        assert kept.answer().status == 431
        running.reread(site.pool("blog", max_body="20"), lines=[reloaded("blog")])
        kept.send(fastcgi.request(large, b"y" * 20, flags=KEEP))
        assert kept.answer().status == 200


def test_new_workers_are_warmed_up_with_the_new_settings(start, site):
    running = Running(start, site, site.pool("blog"))
    new = site.pool("blog", "two", warmup="/wait")
    running.reread(new, lines=['"blog" changes: options "app", "warmup"'])
    visitor = site.gate.arrival()
    assert site.text("blog") == "one - "
    visitor.release()
    running.daemon.wait_line(reloaded("blog"))
    running.wait_generation("blog", 2, None)
    assert site.text("blog") == "two - "


def test_two_changes_in_a_row_end_with_the_last(start, site):
    running = Running(start, site, site.pool("blog"))
    running.reread(site.pool("blog", "two", warmup="/wait"), lines=['"blog" changes'])
    visitor = site.gate.arrival()
    mark = running.reread(site.pool("blog", env="COLOUR=blue"), lines=[])
    visitor.release()
    running.daemon.wait_line(reloaded("blog", 3), since=mark)
    running.wait_generation("blog", 3, None)
    assert site.text("blog") == "one blue "


# --- what is wrong ---


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (["[blog]", "app = one", "threads = many"], '"many" for option "threads".*conf:3'),
        (["thread = 1", "[blog]"], r'unknown option "thread"; .*\(.*conf:1'),
        (["log = /not/there/log"], 'cannot open log "/not/there/log".*"log"'),
        (["include = /not/there.conf"], 'cannot include "/not/there.conf".*conf:1'),
    ],
)
def test_a_broken_file_changes_nothing(start, site, parts, reason):
    running = Running(start, site, site.pool("blog"))
    workers = running.daemon.workers
    end = [] if "[blog]" in parts else [site.pool("blog", "two")]
    text = f"error .*reload failed: .*{reason}.*; the old configuration stays in force"
    running.reread(*parts, *end, lines=[text])
    assert site.text("blog") == "one - " and running.daemon.workers == workers
    running.reread(site.pool("blog", "two"), lines=[reloaded("blog")])
    assert site.text("blog") == "two - "


@pytest.mark.parametrize(
    ("app", "options", "reason"),
    [
        ("broken", {}, "broken on purpose"),
        ("one", {"python": "/not/there"}, "/not/there"),
        ("one", {"user": "no-such-user"}, "no-such-user"),
        ("one", {"socket_group": "no-such-group"}, "no-such-group"),
        ("one", {"scgi": "unix:/not/there/sock"}, "/not/there"),
        ("one", {"access_log": "/not/there/log"}, "/not/there/log"),
        ("one", {"warmup": "/missing"}, "warm-up"),
    ],
)
def test_a_change_that_fails_leaves_the_old_settings(start, site, app, options, reason):
    if "warmup" in options:
        (site.directory / "two.py").write_text("def application(environ, start_response): 1 / 0\n")
        app = "two"
    running = Running(start, site, site.pool("blog", env="COLOUR=red"))
    running.daemon.expect(r"blog/1\[\d+\]: ", "ZeroDivisionError", "^ ", "Traceback", "request .*GET")
    workers = running.daemon.workers
    new = f"unix:{site.socket('new')}"
    changed = site.pool("blog", app, env="COLOUR=blue", **{"scgi": new, **options})
    failed = f"error .*reload failed: .*{reason}.*; generation 1 goes on with the old settings"
    with site.connect("blog") as kept:
        running.reread(changed, lines=[failed])
        assert ask(kept) == site.text("blog") == "one red "
    assert running.daemon.workers == workers
    site.wait_no_socket("new")
    assert os.path.exists(site.socket("blog"))
    processes.kill(workers[0])
    running.daemon.wait_line("replacing it")
    assert site.text("blog") == "one red ", "so do replacements"
    running.reread(site.pool("blog", env="COLOUR=blue"), lines=[reloaded("blog")])
    assert site.text("blog") == "one blue "


def test_a_failing_pool_is_mended(start, site):
    site.write(site.pool("blog"), site.pool("shop", "broken"))
    daemon = start(None, config=site.file)
    daemon.expect(r"shop/1\[\d+\]: ", "the pool does not start")
    daemon.wait_line('pool "shop" does not start')
    mark = daemon.mark()
    site.write(site.pool("blog"), site.pool("shop", "two", env="COLOUR=red"))
    daemon.signal(signal.SIGHUP)
    daemon.wait_line('ready: pool "shop"', since=mark)
    assert site.text("shop") == "two red "


def test_a_pool_that_still_starts_changes(start, site):
    site.write(site.pool("blog"), site.pool("shop", warmup="/wait"))
    daemon = start(None, config=site.file)
    site.gate.arrival()
    daemon.expect("shop: request .*lost with worker")
    site.write(site.pool("blog"), site.pool("shop", "two"))
    daemon.signal(signal.SIGHUP)
    daemon.wait_line('ready: pool "shop"')
    assert site.text("shop") == "two - "


def test_an_address_does_not_move_between_pools_that_stay(start, site):
    running = Running(start, site, site.pool("blog"), site.pool("shop"))
    other = f"unix:{site.socket('other')}"
    stolen = site.pool("shop", fastcgi=f"unix:{site.socket('blog')}")
    refusal = 'reload failed: address .*blog.sock" cannot move from pool "blog" to pool "shop"'
    running.reread(site.pool("blog", fastcgi=other), stolen, lines=[refusal])
    assert site.text("blog") == site.text("shop") == "one - "


# --- processes that die ---


def test_a_new_gateway_serves_the_new_configuration(start, site):
    running = Running(start, site, site.pool("blog"), site.pool("shop"))
    log = site.directory / "access.log"
    blog = site.pool("blog", "two", env="COLOUR=red", access_log=log, access_format="%>s")
    more = site.pool("more", scgi=f"unix:{site.socket('also')}")
    running.reread(blog, more, lines=[reloaded("blog"), 'ready: pool "more"'])
    running.daemon.expect(r"gateway\[", "exited with status 0")
    mark = running.daemon.mark()
    processes.kill(running.daemon.gateway)
    running.daemon.wait_line("replacing it and all workers", since=mark)
    assert site.text("blog") == "two red " and site.text("more") == "one - "
    assert scgi.fetch(site.socket("also"), "/").status == 200
    wait_for(lambda: "200\n" in log.read_text())
    site.wait_no_socket("shop")


def test_a_change_survives_the_gateway(start, site):
    running = Running(start, site, site.pool("blog"))
    new = site.pool("blog", "two", warmup="/wait")
    running.reread(new, lines=['"blog" changes'])
    site.gate.arrival()
    running.daemon.expect(r"gateway\[", r"blog/1\[\d+\]: ")
    processes.kill(running.daemon.gateway)
    site.gate.arrival().release()
    running.daemon.wait_line(reloaded("blog", 4))
    running.wait_generation("blog", 4, None)
    assert site.text("blog") == "two - "
