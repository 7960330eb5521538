"""contrib/packages/install keeps servers from being started while it installs them, and takes that
back however it ends."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "contrib/packages/install"
# Tells that it runs, and goes on when its pipe is closed.
APT_GET = """#!/bin/sh
[ "$1" = install ] || exit 0
echo "a line of dpkg's"
echo installing >"/dev/fd/$SAYS"
read -r _ <"$GO" || :
[ ! -e "$GO.fails" ] || exit 100
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


def install(machine, **more):
    """The script, while it installs."""
    says, said = os.pipe()
    process = subprocess.Popen(
        ["sh", SCRIPT, "build"],
        env={
            "PATH": f"{machine}:/usr/bin:/bin",
            "GO": str(machine / "go"),
            "SAYS": str(said),
            "POLICY_RC_D": str(machine / "policy-rc.d"),
            "TMPDIR": str(machine),
        },
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=[said],
        **more,
    )
    os.close(said)
    with open(says, encoding="ascii") as pipe:
        assert pipe.readline() == "installing\n"
    return process


def go_on(machine):
    with open(machine / "go", "w", encoding="ascii"):
        pass


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_a_signal_to_the_terminal_leaves_no_policy_behind(machine, number):
    with install(machine) as process:
        assert os.access(machine / "policy-rc.d", os.X_OK)
        os.killpg(process.pid, number)
        assert process.wait(10) != 0
    assert not (machine / "policy-rc.d").exists()


def test_the_end_leaves_no_policy_behind(machine):
    with install(machine) as process:
        go_on(machine)
        assert process.wait(10) == 0
    assert not (machine / "policy-rc.d").exists()


def test_a_policy_that_was_there_stays(machine):
    (machine / "policy-rc.d").write_text("mine\n")
    with install(machine) as process:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)
    assert (machine / "policy-rc.d").read_text() == "mine\n"


def test_dpkg_is_heard_only_when_it_fails(machine):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with install(machine, **pipes) as process:
        go_on(machine)
        quiet = process.communicate(timeout=10)[0]
    assert process.returncode == 0
    assert quiet.startswith("Installing: ") and quiet.count("\n") == 1
    (machine / "go.fails").touch()
    with install(machine, **pipes) as process:
        go_on(machine)
        output = process.communicate(timeout=10)[0]
    assert process.returncode == 1
    assert "a line of dpkg's\n" in output
    assert "the command above failed: apt-get install" in output
    assert not list(machine.glob("tmp.*"))


def test_without_sudo_it_says_what_is_missing(machine):
    (machine / "id").write_text("#!/bin/sh\necho 1000\n")
    for name in ("dirname", "grep", "sh"):
        (machine / name).symlink_to(shutil.which(name))
    done = subprocess.run(
        ["/bin/sh", SCRIPT, "build"],
        env={"PATH": str(machine)},
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert done.returncode == 1
    assert "there is no sudo to install them: " in done.stderr
    assert "as root: apt-get install --no-install-recommends cmake" in done.stderr


@pytest.fixture
def public():
    """A directory that every user can reach."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


def test_a_build_of_another_user_is_told_by_its_owner(public):
    for name in ("contrib/packages", "build/release"):
        (public / name).mkdir(parents=True)
    shutil.copy(SCRIPT.parents[1] / "quickstart", public / "contrib")
    install = public / "contrib/packages/install"
    install.write_text("#!/bin/sh\nexit 9\n")
    os.chmod(install, 0o755)
    (public / "build/release/CMakeCache.txt").touch()
    os.chmod(public / "build/release", 0o555)
    done = subprocess.run(
        ["sh", public / "contrib/quickstart", "--once"],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
        user="nobody" if os.geteuid() == 0 else None,
    )
    owner = public.owner()
    assert done.returncode == 1
    assert f"may not write to {public}/build/release, which belongs to {owner};" in done.stderr
