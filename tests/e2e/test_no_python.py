"""Option "python" names what is no Python, or one that does not start: the option is named, and the
status says whether it may work later."""

import os
import stat
import subprocess

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


def early(site, path, ended):
    place = site.line_of("python = ")
    return (
        f"{ended} without running a line of pycgid's boot.py: "
        f'"{path}" is no Python 3.11 or later (option "python", {place}), a wrapper that does not '
        'pass "$@" on, or one that could not start'
    )


@pytest.mark.parametrize("preload", ["no", "yes"])
@pytest.mark.parametrize("program", ["/bin/true", "print"])
def test_what_is_content_without_having_run_a_line_is_no_python(site, program, preload):
    path = script(site, "echo Python 3.11.2; exit 0\n") if program == "print" else program
    for done in outcomes(site, python=path, preload=preload):
        assert done.returncode == CONFIGURATION, done.stderr
        assert early(site, path, "exited with status 0") in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("preload", ["no", "yes"])
@pytest.mark.parametrize("status", [1, 3, 75, 78])
def test_a_wrapper_that_fails_may_work_later(site, status, preload):
    path = script(site, f"echo /mnt/secrets is not mounted yet >&2; exit {status}\n")
    for done in outcomes(site, python=path, preload=preload):
        assert done.returncode == TEMPORARY, done.stderr
        assert "/mnt/secrets is not mounted yet" in done.stderr
        assert early(site, path, f"exited with status {status}") in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("program", ["/bin/false", "/bin/sh", 'exec python3 "$1"', "ulimit -v 12000; exec python3 $@"])
def test_what_fails_without_having_run_a_line_is_named(site, program):
    path = program if program.startswith("/") else script(site, program + "\n")
    for done in outcomes(site, python=path):
        assert done.returncode == TEMPORARY, done.stderr


def test_a_variable_of_pythons_own_is_named(site):
    for done in outcomes(site, env="PYTHONHOME=/nonexistent"):
        assert done.returncode == TEMPORARY, done.stderr
        last = done.stderr.splitlines()[-1]
        assert 'boot.py: "python3" is no Python 3.11 or later (option "python"), a wrapper' in last
        assert f'PYTHONHOME (option "env", {site.file}:' in last


def test_a_variable_of_pythons_own_in_the_daemons_environment_is_named(site):
    site.write(site.pool("shop", app="hello"))
    options = ["--config", site.file, "--temp-dir", str(site.directory)]
    for more in ([], ["-t"]):
        done = subprocess.run(
            [daemon.PROGRAM, *more, *options], env=daemon.environment(PYTHONHASHSEED="q"),
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=30 * daemon.SLOWNESS, check=False,
        )  # fmt: skip
        assert done.returncode == TEMPORARY, done.stderr
        assert "PYTHONHASHSEED from the daemon's environment" in done.stderr.splitlines()[-1]


def test_a_program_that_is_being_written_may_be_run_later(site):
    path = script(site, 'exec python3 "$@"\n')
    with open(path, "a", encoding="utf-8"):
        for done in outcomes(site, python=path):
            assert done.returncode == TEMPORARY, done.stderr
            assert "Text file busy (option" in done.stderr.splitlines()[-1]


def test_a_directory_is_no_program(site):
    for done in outcomes(site, python="/tmp"):
        assert done.returncode == CONFIGURATION, done.stderr
        place = site.line_of("python = ")
        assert f'cannot run python "/tmp": it is a directory (option "python", {place})' in done.stderr


def test_what_hangs_is_named(site):
    path = script(site, "exec sleep 1000\n")
    for done in outcomes(site, python=path, start_timeout="2s"):
        assert done.returncode == TEMPORARY, done.stderr
        last = done.stderr.splitlines()[-1]
        place = site.line_of("python = ")
        assert f'"{path}" is no Python 3.11 or later (option "python", {place}), or one that hangs' in last
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
