"""Values of the configuration, from the file to the application: comments, quotes, what is refused
and what is warned of."""

import signal

import pytest
from harness import daemon
from harness.reread import RereadSite, Running, reloaded

CONFIGURATION = 78
USAGE = 64


@pytest.fixture
def site(tmp_path):
    made = RereadSite(tmp_path)
    yield made
    made.gate.close()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("COLOUR=ab#cd", "ab#cd"),
        ("COLOUR=ab#cd # a comment", "ab#cd"),
        ('COLOUR="a # b"  # a comment', "a # b"),
        ("'COLOUR=\"a\"'", '"a"'),
        ('COLOUR="a\\"b\\\\c"', 'a"b\\c'),
    ],
)
def test_a_value_arrives_as_it_was_meant(start, site, written, meant):
    running = Running(start, site, site.pool("blog", env=written))
    assert site.text("blog") == f"one {meant} "
    changed = written.replace("a", "A")
    running.reread(site.pool("blog", env=changed), lines=[reloaded("blog")])
    assert site.text("blog") == f"one {meant.replace('a', 'A')} ", "through a reload as well"


def test_a_byte_order_mark_is_nothing(start, site):
    site.write("\ufefflog-level = notice", site.pool("blog"))
    start(None, config=site.file).wait_line('ready: pool "blog"')
    assert site.text("blog") == "one - "


@pytest.mark.parametrize("option", ["env = A=", "pythonpath = /", "chdir = /", "venv = /"])
def test_a_nul_at_reload_during_the_first_start_changes_nothing(start, site, option):
    """The pool waits in its first start when the file is read again, with a NUL in it."""
    (site.directory / "waits.py").write_text(
        "from gate_client import wait_at_gate\nwait_at_gate('import')\nfrom one import *\n"
    )
    site.write(site.pool("blog", "waits"))
    running = daemon.Daemon(None, config=site.file)
    try:
        visitor = site.gate.arrival()
        site.write(site.pool("blog", "waits") + option + "a\0b\n")
        running.signal(signal.SIGHUP)
        running.wait_line("error .*reload failed: .*NUL")
        visitor.release()
        running.wait_line('ready: pool "blog"')
        assert site.text("blog") == "one - "
        running.stop()
    finally:
        running.kill()


def test_check_warns_of_what_looks_meant_otherwise(site):
    site.write(site.pool("blog", env="KEY=ab #cd"))
    done = daemon.run("-t", "--config", site.file)
    assert done.returncode == 0
    assert 'warning: option "env": "#cd" is a comment' in done.stderr and ".conf:" in done.stderr


def test_units_are_named(site):
    site.write(site.pool("blog", max_body="512MB"))
    done = daemon.run("-t", "--config", site.file)
    assert done.returncode == CONFIGURATION
    assert "K, M or G" in done.stderr and 'did you mean "512M"?' in done.stderr


def test_a_flag_and_a_second_application_are_explained():
    done = daemon.run("--request-buffering", "no", "mirror")
    assert done.returncode == USAGE and "--request-buffering=no" in done.stderr
    done = daemon.run("mirror", "files")
    assert done.returncode == USAGE and '"mirror" and "files"' in done.stderr


def test_two_pages_with_one_path_are_refused_by_name(site):
    site.write(site.pool("blog") + "ping-path = /-/status\n")
    done = daemon.run("-t", "--config", site.file)
    assert done.returncode == CONFIGURATION
    status, ping = site.line_of("status-path"), site.line_of("ping-path")
    assert 'option "ping-path" names "/-/status"' in done.stderr
    assert f"give one of them another path ({ping})" in done.stderr
    assert f'that of option "status-path" ({status})' in done.stderr
