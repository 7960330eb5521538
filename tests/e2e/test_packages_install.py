"""contrib/packages/install keeps servers from being started while it installs them, and takes that
back however it ends."""

import os
import pathlib
import signal
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "contrib/packages/install"
# Tells that it runs, and goes on when its pipe is closed.
APT_GET = """#!/bin/sh
[ "$1" = install ] || exit 0
echo installing
read -r _ <"$GO" || :
"""


@pytest.fixture
def machine(tmp_path):
    """A PATH where every package is missing and nothing is installed."""
    for name, text in {
        "apt-get": APT_GET,
        "dpkg-query": "#!/bin/sh\nexit 1\n",
        "id": "#!/bin/sh\necho 0\n",
    }.items():
        (tmp_path / name).write_text(text)
        os.chmod(tmp_path / name, 0o755)
    os.mkfifo(tmp_path / "go")
    return tmp_path


def install(machine):
    """The script, while it installs."""
    process = subprocess.Popen(
        ["sh", SCRIPT, "build"],
        env={
            "PATH": f"{machine}:/usr/bin:/bin",
            "GO": str(machine / "go"),
            "POLICY_RC_D": str(machine / "policy-rc.d"),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    while process.stdout.readline() != "installing\n":
        assert process.poll() is None
    return process


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_a_signal_to_the_terminal_leaves_no_policy_behind(machine, number):
    with install(machine) as process:
        assert os.access(machine / "policy-rc.d", os.X_OK)
        os.killpg(process.pid, number)
        assert process.wait(10) != 0
    assert not (machine / "policy-rc.d").exists()


def test_the_end_leaves_no_policy_behind(machine):
    with install(machine) as process:
        with open(machine / "go", "w", encoding="ascii"):
            pass
        assert process.wait(10) == 0
    assert not (machine / "policy-rc.d").exists()


def test_a_policy_that_was_there_stays(machine):
    (machine / "policy-rc.d").write_text("mine\n")
    with install(machine) as process:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)
    assert (machine / "policy-rc.d").read_text() == "mine\n"
