"""pycgid.conf: several pools in one daemon, one that does not start, -t, -tt and wrong files."""

import os
import socket

import pytest
from harness import cgi, daemon, fastcgi, processes
from harness.daemon import APPS
from harness.site import Site

CONFIGURATION = 78


APPLICATION = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"late"]
"""


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_pools_have_their_own_sockets_and_workers(start, site):
    shop = site.pool("shop", "crashing", mount="/s")
    site.write("max-connections = 100", site.pool("blog"), shop)
    running = start(None, config=site.file)
    running.wait_line('ready: pool "blog"')
    running.wait_line('ready: pool "shop"')
    assert site.get("blog").status == 200 and site.get("shop", "/pid").status == 200
    assert sorted(processes.title(pid).split()[-1] for pid in running.workers) == [
        "blog/1",
        "shop/1",
    ]


def test_included_files_add_pools(start, site):
    os.mkdir(site.directory / "pools.d")
    (site.directory / "pools.d/blog.conf").write_text(site.pool("blog"))
    (site.directory / "pools.d/shop.conf").write_text(site.pool("shop"))
    site.write("include = pools.d/*.conf")
    start(None, config=site.file)
    assert site.get("blog").status == 200 and site.get("shop").status == 200


def test_a_pool_that_does_not_load_leaves_the_others_alone(start, site):
    (site.directory / "late.py").write_text("import not_there_yet\n")
    site.write(site.pool("blog"), site.pool("shop", "late", chdir=site.directory))
    running = start(None, config=site.file)
    running.wait_line('error .*pool "shop" does not start: .*not_there_yet.*503')
    running.expect(r"shop/1\[\d+\]: ", "the pool does not start")
    assert site.get("blog").status == 200
    answer = site.get("shop")
    assert answer.status == 503 and answer.header("retry-after")
    (site.directory / "new").write_text(APPLICATION)
    os.rename(site.directory / "new", site.directory / "late.py")
    running.wait_line('ready: pool "shop"', 20)
    assert site.get("shop").status == 200
    assert running.count('pool "shop" does not start') == 1


def test_a_pool_without_its_port_leaves_the_others_alone(start, site):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        site.write(site.pool("blog"), site.pool("shop", fastcgi=f"127.0.0.1:{port}"))
        running = start(None, config=site.file)
        running.wait_line(f'error .*pool "shop" does not start: cannot bind .*:{port}: .*in use')
        assert site.get("blog").status == 200
    running.wait_line(f'ready: pool "shop".*:{port}', 20)
    assert fastcgi.fetch(("127.0.0.1", port), cgi.variables("/a")).status == 200


def test_when_no_pool_starts_the_daemon_ends(site):
    site.write(site.pool("blog", "no_such_blog"), site.pool("shop", "no_such_shop"))
    done = daemon.run("--config", site.file)
    assert done.returncode == CONFIGURATION and "no_such_" in done.stderr.splitlines()[-1]
    assert not os.path.exists(site.socket("blog"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[blog]\nap = x\n", [":2)", '"app"']),
        ("threads = 4\n", [":1)", "pool"]),
        ("[blog]\napp = mirror\n", [":1)", '"fastcgi"']),
    ],
)
def test_a_wrong_file_is_78_and_names_the_line(site, text, named):
    site.write(text)
    done = daemon.run("--config", site.file)
    assert done.returncode == CONFIGURATION and done.stderr.count("\n") == 1
    assert all(word in done.stderr for word in [site.file, *named]), done.stderr


def test_a_file_that_is_not_there(site):
    done = daemon.run("--config", site.file)
    assert done.returncode == CONFIGURATION
    assert site.file in done.stderr and "No such file" in done.stderr


def test_check_looks_at_every_pool(site):
    site.write(site.pool("a", "no_such_a"), site.pool("b"), site.pool("c", "no_such_c"))
    done = daemon.run("-t", "--config", site.file)
    assert done.returncode == CONFIGURATION
    assert 'pool "a": ' in done.stderr and "no_such_a" in done.stderr
    assert 'pool "c": ' in done.stderr and "no_such_c" in done.stderr
    assert done.stdout.count("\n") == 1 and 'pool "b"' in done.stdout


def test_what_tt_prints_is_a_configuration_file(site):
    site.write("backlog = 7", site.pool("blog", env="A=1"), site.pool("shop", max_body="3G"))
    first = daemon.run("-tt", "--config", site.file)
    assert first.returncode == 0 and "\nmax-body = 3G\n" in first.stdout
    assert "\nsend-timeout = 60s\n" in first.stdout, "defaults are printed too"
    site.write(first.stdout)
    assert daemon.run("-tt", "--config", site.file).stdout == first.stdout


def test_tt_turns_a_command_line_into_a_file(site):
    options = ["mirror", "--chdir", APPS, "--fastcgi", f"unix:{site.socket('m')}"]
    first = daemon.run("-tt", *options, *daemon.common_options())
    assert first.returncode == 0 and "\n[mirror]\n" in first.stdout
    site.write(first.stdout)
    assert daemon.run("-tt", "--config", site.file).stdout == first.stdout
