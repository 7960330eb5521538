"""Values that the system would not start a program with: refused by the option's name, and not
blamed on Python."""

import subprocess

import pytest
from harness import daemon
from harness.site import Site

LONG = 131072


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def refusals(site, *limit):
    """Of a start and of -t: both are exit status 78."""
    for more in ([], ["-t"]):
        words = [daemon.PROGRAM, *more, "--config", site.file, "--temp-dir", str(site.directory)]
        done = subprocess.run(
            [*limit, *words], env=daemon.environment(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=30 * daemon.SLOWNESS, check=False,
        )  # fmt: skip
        assert done.returncode == 78, done.stderr
        yield done.stderr.splitlines()[-1]


@pytest.mark.parametrize("option", ["env", "pythonpath", "on-start", "on-exit", "app", "chdir"])
def test_a_value_that_is_too_long_is_refused_where_it_stands(site, option):
    value = "BIG=" + "x" * LONG if option == "env" else "/" + "x" * LONG
    site.write(site.pool("shop", **{option: value}))
    place = site.line_of(f"{option} = ")
    for line in refusals(site):
        assert line.startswith(f"pycgid: {place}: ") or place in line
        assert f'for option "{option}": has {len(value)} bytes' in line
        assert len(line) < 2000


def test_values_that_are_too_long_together_name_the_option(site):
    lines = [f"env = BIG{number}={'x' * 60000}\n" for number in range(5)]
    site.write(site.pool("shop") + "".join(lines))
    for line in refusals(site, "prlimit", "--stack=1048576"):
        assert 'the environment and arguments of pool "shop" take 30' in line
        assert f'lets a program have 262144 (option "env", {site.file}:' in line
        assert "; put long values into files" in line


def test_values_that_fit_work(start, site):
    value = "x" * 129000
    site.write(site.pool("shop", env=f"BIG={value}"))
    start(None, config=site.file).wait_line('ready: pool "shop"', 20 * daemon.SLOWNESS)
