"""What is refused when it is loaded, and what is made of APP arguments: factories, files, and the
processes that applications from files spawn."""

import os
import signal
import sys
import textwrap

import pytest
from harness import daemon as pycgid
from harness.daemon import common_options

SITE = """
import os
def create_app(text="made", *, times=1):
    if text == "fail":
        raise LookupError("no such site")
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{text} {times} VERSION".encode()]
    return application
def nothing():
    pass
async def later():
    pass
async def asgi(scope, receive, send):
    pass
class Site:
    def __call__(self, environ, start_response):
        return create_app("by a class")(environ, start_response)
"""


@pytest.fixture
def site(tmp_path):
    os.chmod(tmp_path, 0o755)
    write(tmp_path / "site_app.py", SITE)
    return tmp_path


def write(path, text, version="one"):
    new = path.with_name("new")
    new.write_text(textwrap.dedent(text).replace("VERSION", version))
    os.rename(new, path)


def check(app, site, *options):
    """-t: its exit status and last line."""
    words = ["-t", *common_options(), "--fastcgi", f"unix:{site}/s", "--chdir", str(site)]
    done = pycgid.run(*words, *options, app)
    return done.returncode, (done.stderr.splitlines() or done.stdout.splitlines())[-1]


# --- factories ---


@pytest.mark.parametrize("preload", [(), ("--preload",)])
@pytest.mark.parametrize(
    ("app", "text"),
    [
        ("site_app:create_app()", "made 1 one"),
        ("site_app:create_app('a:b/c', times=3)", "a:b/c 3 one"),
        ("{site}/site_app.py:create_app(times=2)", "made 2 one"),
        ("./site_app.py:create_app()", "made 1 one"),
        ("site_app:Site()", "by a class 1 one"),
    ],
)
def test_an_application_made_by_a_factory(start, site, app, text, preload):
    app = app.format(site=site)
    assert start(app, *preload, chdir=str(site)).get().text == text
    assert check(app, site, *preload)[0] == 0


def test_a_factory_is_called_again_by_a_reload(start, site):
    daemon = start("site_app:create_app()", chdir=str(site), processes=2)
    daemon.expect(r"reload failed", r" site_app/\d\[\d+\]: ")
    assert daemon.get().text == "made 1 one"
    write(site / "site_app.py", SITE, "two")
    for text, outcome in (("def create_app(): 1 / 0", "ZeroDivisionError"), (SITE, "reloaded")):
        write(site / "site_app.py", text, "two")
        mark = daemon.mark()
        daemon.signal(signal.SIGHUP)
        daemon.wait_line(outcome, since=mark)
    assert daemon.get().text == "made 1 two"


def test_a_pool_is_not_named_after_a_factorys_arguments(start, site):
    start("site_app:create_app('/x/y.z')", chdir=str(site)).wait_line('ready: pool "site_app"')


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        ("site_app:create_app('fail')", "LookupError: no such site"),
        ("site_app:create_app(1, 2)", "TypeError: create_app() takes from 0 to 1 positional"),
        ("site_app:create_app(os)", "are not all literals"),
        ("site_app:nothing()", '"site_app:nothing()" returned None'),
        ("site_app:later()", "returned a coroutine; a factory has to be a plain function"),
        ("site_app:asgi", "is an ASGI application: a coroutine function of scope, receive, send"),
        ("site_app:create_app", 'use "site_app:create_app()"'),
        ("./site_app.py:create_app", 'use "./site_app.py:create_app()"'),
        ("site_app:Site", 'use "site_app:Site()"'),
    ],
)
def test_what_is_no_application_is_refused_when_it_is_loaded(site, app, reason):
    status, line = check(app, site)
    assert status != 0 and line.startswith(f'pycgid: cannot load application "{app}": ')
    assert reason in line


def test_a_failing_factory_shows_its_traceback_alone(site):
    words = ["-t", *common_options(), "--fastcgi", f"unix:{site}/s", "--chdir", str(site)]
    shown = pycgid.run(*words, "site_app:create_app('fail')").stderr
    assert "in create_app" in shown and "loader.py" not in shown


# --- patched threads ---


def patched(library, call):
    return f"""
    import {library}
    {library}.{call}
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"patched"]
    """


@pytest.mark.parametrize("preload", [(), ("--preload",)])
@pytest.mark.parametrize(
    ("library", "call"), [("gevent.monkey", "patch_all()"), ("eventlet", "monkey_patch()")]
)
def test_greenlets_in_place_of_threads_are_warned_of(start, site, library, call, preload):
    pytest.importorskip(library)
    write(site / "green.py", patched(library, call))
    daemon = start("green", *preload, chdir=str(site), threads=2)
    found = daemon.wait_line(r"warning green\S*: (\w+) has patched .*; with 2 threads, .* for ever")
    assert found[1] == library.partition(".")[0]
    assert daemon.get().text == "patched"
    daemon = start("green", *preload, chdir=str(site), threads=1)
    assert "with 1" not in daemon.wait_line("has patched the application's threads: .*")[0]


def test_a_library_that_patches_nothing_is_not_warned_of(start, site):
    pytest.importorskip("gevent")
    write(site / "green.py", patched("gevent.monkey", "patch_time()"))
    daemon = start("green", chdir=str(site))
    assert daemon.get().text == "patched" and daemon.count("has patched") == 0


# --- applications from files, and their children ---

SPAWNING = """
import concurrent.futures, multiprocessing, os, pickle
class Point:
    def __init__(self, x):
        self.x = x
    def __eq__(self, other):
        return self.x == other.x
def square(point):
    return Point(point.x ** 2)
def application(environ, start_response):
    points = [Point(x) for x in range(4)]
    assert pickle.loads(pickle.dumps(points)) == points
    context = multiprocessing.get_context(environ["QUERY_STRING"])
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        squares = [point.x for point in pool.map(square, points)]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr(squares).encode()]
"""


@pytest.mark.parametrize("preload", [(), ("--preload",)])
@pytest.mark.parametrize(
    ("file", "app"),
    [
        ("jobs.py", "jobs"),
        ("jobs.py", "{site}/jobs.py"),
        ("my-jobs.py", "{site}/my-jobs.py"),
        ("jobs.wsgi", "jobs.wsgi"),
        ("my jobs.wsgi", "./my jobs.wsgi"),
    ],
)
def test_multiprocessing_from_an_application(start, site, file, app, preload):
    write(site / file, SPAWNING)
    daemon = start(app.format(site=site), *preload, chdir=str(site), threads=1)
    for method in ("spawn", "forkserver", "fork"):
        assert daemon.get(QUERY_STRING=method).text == "[0, 1, 4, 9]", method


def test_multiprocessing_while_the_application_is_imported(start, site):
    write(
        site / "my-jobs.wsgi",
        """
        import multiprocessing
        def square(x):
            return x * x
        def application(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [repr(SQUARES).encode()]
        if multiprocessing.parent_process() is None:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                SQUARES = pool.map(square, range(3))
        """,
    )
    assert start("./my-jobs.wsgi", chdir=str(site)).get().text == "[0, 1, 4]"


def test_the_main_program_is_none_of_ours(start, site):
    """What looks at it, to name itself or to run it again, does not meet the worker's."""
    write(
        site / "app.py",
        """
        import __main__
        def application(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [repr(getattr(__main__, "__file__", None)).encode()]
        """,
    )
    assert start("app", chdir=str(site)).get().text == "None"


GREENLETS = """
import gevent.monkey
gevent.monkey.patch_all()
import gevent, pycgid, sys, threading, time
hit = []
def spin():
    try:
        until = time.monotonic() + 3
        while time.monotonic() < until:
            pass
    except BaseException as error:
        hit.append(type(error).__name__)
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/other":
        gevent.spawn(spin).join()
    elif environ["PATH_INFO"] == "/own":
        spin()
    return [repr(hit).encode()]
"""


def test_a_timeout_is_raised_in_no_other_greenlet(start, site):
    pytest.importorskip("gevent")
    write(site / "green.py", GREENLETS)
    daemon = start("green", "--request-timeout=500ms", chdir=str(site), threads=1)
    daemon.expect("has patched", r" green/\d\[\d+\]: ", "timeout|timed out|ran for|longer")
    assert daemon.get("/other").status == 504
    assert daemon.get().text == "[]"
    assert daemon.get("/own").status == 504
    assert daemon.get().text == "['RequestTimeout']"
