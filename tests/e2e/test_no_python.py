"""Option "python" names what is no Python, or one that cannot start: that can never work, and the
option is named."""

import os
import stat

import pytest
from harness import daemon
from harness.site import Site

CONFIGURATION, TEMPORARY = 78, 75


@pytest.fixture
def site(tmp_path):
    os.chmod(tmp_path, 0o755)
    return Site(tmp_path)


def script(site, text):
    path = site.directory / "program"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return str(path)


def outcomes(site, **options):
    """Of a start, and of -t."""
    site.write(site.pool("shop", app="hello", **options))
    options = ["--config", site.file, "--temp-dir", str(site.directory)]
    return [daemon.run(*more, *options, deadline=30 * daemon.SLOWNESS) for more in ([], ["-t"])]


@pytest.mark.parametrize("preload", ["no", "yes"])
@pytest.mark.parametrize("program", ["/bin/true", "/bin/false", "/bin/cat", "/bin/sh", "print"])
def test_what_is_no_python_is_named(site, program, preload):
    path = script(site, "echo Python 3.11.2; exit 0\n") if program == "print" else program
    for done in outcomes(site, python=path, preload=preload):
        assert done.returncode == CONFIGURATION, done.stderr
        last = done.stderr.splitlines()[-1]
        place = site.line_of("python = ")
        assert f'"{path}" is no Python (option "python", {place}), or one that cannot start' in last
        assert "exited with status" in last and "; name a Python 3, or leave the option out" in last


def test_a_wrong_home_is_named(site):
    for done in outcomes(site, env="PYTHONHOME=/nonexistent"):
        assert done.returncode == CONFIGURATION, done.stderr
        last = done.stderr.splitlines()[-1]
        assert '"python3" is no Python (option "python"), or one that cannot start' in last
        assert f'; leave PYTHONHOME out (option "env", {site.file}:' in last


def test_what_hangs_is_named(site):
    path = script(site, "exec sleep 1000\n")
    for done in outcomes(site, python=path, start_timeout="2s"):
        assert done.returncode == TEMPORARY, done.stderr
        last = done.stderr.splitlines()[-1]
        place = site.line_of("python = ")
        assert f'"{path}" is no Python (option "python", {place}), or one that hangs' in last
        assert "did not run a line within 2s" in last


def test_what_is_killed_may_be_one(site):
    path = script(site, "kill -9 $$\n")
    for done in outcomes(site, python=path):
        assert done.returncode == TEMPORARY, done.stderr
        assert "was killed by signal 9" in done.stderr.splitlines()[-1]


def test_of_several_pools_that_all_fail_the_last_line_names_one(site):
    pools = [site.pool(name, app="hello", python="/bin/true") for name in ("one", "two")]
    site.write(*pools)
    done = daemon.run("--config", site.file, "--temp-dir", str(site.directory))
    assert done.returncode == CONFIGURATION
    assert done.stderr.splitlines()[-1].startswith('pycgid: no pool starts; pool "')
