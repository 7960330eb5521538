"""What cmake --install leaves is a service: every path in it is one of the installation, the shipped
configuration starts, and what an administrator changed stays."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest
from harness import daemon

BUILD = os.path.dirname(os.path.abspath(daemon.PROGRAM))


def install(destination, prefix):
    done = subprocess.run(
        ["cmake", "--install", BUILD, "--prefix", prefix],
        env={**os.environ, "DESTDIR": str(destination)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=["/usr", "/usr/local", "/opt/pycgid"])
def installed(request, tmp_path):
    """Prefix, destination, and the directory of the configuration."""
    os.chmod(tmp_path, 0o755)
    install(tmp_path, request.param)
    etc = "/etc" if request.param.startswith("/usr") else f"{request.param}/etc"
    return request.param, tmp_path, etc


def below(destination, path):
    return pathlib.Path(f"{destination}{path}")


def test_every_path_is_one_of_the_installation(installed):
    prefix, destination, etc = installed
    strange = [path for path in ("/usr/sbin/pycgid", "/usr/libexec/pycgid") if prefix != "/usr"]
    strange += ["/usr/libexec/pycgid"] + (["/etc/pycgid/"] if etc != "/etc" else [])
    texts = [path for path in destination.rglob("*") if path.is_file() and path.suffix != ".so"]
    for path in texts:
        if path.parent.name in ("sbin", "man8", "man5"):
            continue
        text = path.read_text().replace(etc, "/CONFIGURATION")
        assert not any(name in text for name in strange), path
    unit = below(destination, f"{prefix}/lib/systemd/system/pycgid.service").read_text()
    (program, configuration) = re.search(r"ExecStart=(\S+) --config (\S+)", unit).groups()
    assert program == f"{prefix}/sbin/pycgid" and configuration == f"{etc}/pycgid/pycgid.conf"
    assert os.access(below(destination, program), os.X_OK)
    assert below(destination, configuration).exists()
    assert below(destination, f"{etc}/pycgid/pools.d").is_dir()
    assert below(destination, f"{etc}/logrotate.d/pycgid").exists()
    examples = below(destination, f"{prefix}/share/doc/pycgid/examples")
    assert f"DAEMON={prefix}/sbin/pycgid\n" in (examples / "init.d/pycgid").read_text()
    assert os.access(examples / "init.d/pycgid", os.X_OK) and (examples / "runit/run").exists()


def test_the_manual_names_the_directory_of_the_workers_files(installed):
    prefix, destination, _ = installed
    text = below(destination, f"{prefix}/share/man/man8/pycgid.8").read_text()
    (named,) = set(re.findall(r"/[\w./-]*lib[\w./-]*/pycgid\b", text))
    assert below(destination, f"{named}/boot.py").exists()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_unit(installed):
    prefix, destination, _ = installed
    text = below(destination, f"{prefix}/lib/systemd/system/pycgid.service").read_text()
    program = f"{prefix}/sbin/pycgid"
    unit = destination / "pycgid.service"
    unit.write_text(text.replace(f"={program} ", f"={destination}{program} "))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, check=False, text=True
    )
    # A test machine may have imperfect units of others.
    assert "pycgid.service" not in done.stderr, done.stderr
    if not done.stderr:
        assert done.returncode == 0


# The machine's users, as a package of ours would leave them: FILES, then the command.
WITH_USERS = 'for f in passwd group; do mount --bind "$1/$f" "/etc/$f"; done; shift; exec "$@"'


def make_user(prefix, destination, _):
    """What the shipped sysusers.d file makes of the machine's users; returns where that is."""
    users = below(destination, "/etc")
    users.mkdir(exist_ok=True)
    for name in ("passwd", "group", "shadow", "gshadow"):
        shutil.copy(f"/etc/{name}", users / name)
    file = below(destination, f"{prefix}/lib/sysusers.d/pycgid.conf")
    subprocess.run(["systemd-sysusers", f"--root={destination}", file], check=True)
    return users


@pytest.mark.skipif(os.geteuid() != 0, reason="the shipped configuration changes the user")
def test_the_shipped_configuration_starts(installed):
    prefix, destination, etc = installed
    configuration = below(destination, f"{etc}/pycgid/pycgid.conf")
    isolated = ["unshare", "--mount", "sh", "-ec", WITH_USERS, "sh", make_user(*installed)]
    done = subprocess.run(
        isolated
        + [below(destination, f"{prefix}/sbin/pycgid"), "-t", "--config", configuration]
        + ["--control", "off"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0 and "no pool is described yet" in done.stdout, done.stderr


def test_what_an_administrator_changed_stays(tmp_path):
    install(tmp_path, "/usr")
    configuration = below(tmp_path, "/etc/pycgid/pycgid.conf")
    shipped = configuration.read_text()
    install(tmp_path, "/usr")
    assert sorted(os.listdir(configuration.parent)) == ["pools.d", "pycgid.conf"]
    configuration.write_text("user = mine\n")
    assert "Kept: " in install(tmp_path, "/usr")
    assert configuration.read_text() == "user = mine\n"
    assert below(tmp_path, "/etc/pycgid/pycgid.conf.new").read_text() == shipped
