"""Limits of workers and gateway, and workers below another root directory (issue 3, point 8). They
run as root, with users of Debian's that nobody is."""

import os
import pwd
import re
import signal
import subprocess

import pytest
from harness import cgi, daemon, fastcgi, processes
from harness.real_users import FIRST, GATEWAY, check_dropped, start_two_pools

CONFIGURATION, SYSTEM = 78, 71


def test_limits_of_workers(place, start):
    limits = {"nice": -3, "rlimit_nofile": 300, "rlimit_core": "1M", "umask": "0027"}
    running, one, two = start_two_pools(place, start, **limits)
    assert os.getpriority(os.PRIO_PROCESS, one) == -3
    assert processes.limits_of(one, "Max open files") == ["300", "300"]
    # The soft limit is what a sanitizer's runtime makes of it.
    assert processes.limits_of(one, "Max core file size")[1] == str(1 << 20)
    assert processes.status_of(one)["Umask"] == ["0027"]
    assert os.getpriority(os.PRIO_PROCESS, two) == os.getpriority(os.PRIO_PROCESS, 0)
    for limit in ("Max open files", "Max core file size"):
        inherited = processes.limits_of(running.process.pid, limit)
        assert processes.limits_of(two, limit)[1] == inherited[1]


def test_a_core_of_any_size(start):
    running = start("mirror", "--rlimit-core", "unlimited", "--nice", "5")
    worker = running.only_worker()
    assert processes.limits_of(worker, "Max core file size")[1] == "unlimited"
    assert os.getpriority(os.PRIO_PROCESS, worker) == 5


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("nice", "-5", 'cannot set priority -5: Permission denied (option "nice"'),
        ("rlimit-nofile", "900000", "cannot limit open files to 900000: Operation not permitted"),
        ("chroot", "/", 'cannot change the root directory to "/": Operation not permitted'),
    ],
)
def test_what_takes_root_is_named(place, option, value, said):
    place.write(place.pool("one", "mirror", **{option: value}))
    os.chown(place.directory, pwd.getpwnam(FIRST).pw_uid, -1)
    done = subprocess.run(
        ["setpriv", f"--reuid={FIRST}", "--clear-groups", daemon.PROGRAM, "--config", place.file],
        env=daemon.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20 * daemon.SLOWNESS,
        check=False,
    )
    assert done.returncode == SYSTEM
    assert said in done.stderr and place.line_of(option) in done.stderr


def may_raise_limits():
    """Some containers have a root that may not."""
    resource_capability = 24
    return int(processes.status_of(os.getpid())["CapEff"][0], 16) >> resource_capability & 1


@pytest.mark.parametrize("hard", [2000, 200])
def test_the_gateway_raises_its_limit_of_files(place, start, hard):
    """As far as it needs to for max-connections, also beyond the hard limit where root may."""
    command = ["prlimit", f"--nofile=100:{hard}", "--"]
    options = ["--fastcgi", f"unix:{place.path('sock')}", "--max-connections", "700"]
    running = start("mirror", *options, command=command)
    reachable = hard > 700 or may_raise_limits()
    soft = int(processes.limits_of(running.gateway, "Max open files")[0])
    assert soft > 700 if reachable else soft == hard
    for pid in (running.process.pid, *running.workers):
        assert processes.limits_of(pid, "Max open files") == ["100", str(hard)]
    assert running.count("max-connections") == (0 if reachable else 1)


def test_a_limit_that_cannot_be_raised_is_told_once(place, start):
    os.chown(place.directory, pwd.getpwnam(FIRST).pw_uid, -1)
    command = ["prlimit", "--nofile=100:200", "setpriv", f"--reuid={FIRST}", "--clear-groups", "--"]
    options = ["--fastcgi", f"unix:{place.path('sock')}", "--max-connections", "700"]
    running = start("mirror", *options, command=command)
    running.wait_line(r"notice .*max-connections 700 needs \d+ open files, the limit is 200")
    assert processes.limits_of(running.gateway, "Max open files") == ["200", "200"]
    running.expect("gateway", r" \S+/\d+\[\d+\]: ")
    gateway = running.gateway
    processes.kill(gateway)
    running.wait_line(rf"gateway\[{gateway}\].*killed")
    assert fastcgi.fetch(place.path("sock"), cgi.variables("/a")).status == 200
    assert running.count("max-connections 700 needs") == 1


# --- chroot ---------------------------------------------------------------------------------------


def libraries(*programs):
    """The shared objects that programs need, with their loader."""
    shown = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True).stdout
    return sorted(set(re.findall(r"(/\S+\.so[.\d]*) ", shown)))


def copy_into(root, *paths):
    """Copies files and directories, links followed, to their own paths below another root."""
    for path in paths:
        target = root + path
        os.makedirs(os.path.dirname(target), exist_ok=True)
        subprocess.run(["cp", "-RL", "--reflink=auto", "-T", path, target], check=True)


def make_root(root):
    """A root directory with a Python in it, and what the workers of this build load."""
    python = os.path.realpath("/usr/bin/python3")
    pyhost = os.path.join(os.path.dirname(os.path.realpath(daemon.PROGRAM)), "pyhost")
    modules = [os.path.join(pyhost, name) for name in os.listdir(pyhost) if name.endswith(".so")]
    preloaded = [name.partition("=")[2] for name in daemon.worker_env() if "LD_PRELOAD" in name]
    needed = libraries(python, *modules, *preloaded)
    copy_into(root, python, "/usr/lib/" + os.path.basename(python), pyhost, *needed, *preloaded)
    os.symlink(python, root + "/usr/bin/python3")
    # A sanitizer's runtime looks for its options there, and not in its environment.
    os.makedirs(root + "/proc/self")
    with open(root + "/proc/self/environ", "w", encoding="ascii") as file:
        file.write("\0".join(daemon.worker_env()) + "\0")
    os.makedirs(root + "/srv/site")
    with open(root + "/srv/site/jailed.py", "w", encoding="ascii") as file:
        file.write(
            "import os\n"
            "def application(environ, start_response):\n"
            "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
            "    return [f'{os.getcwd()} {os.path.exists(\"/etc/passwd\")}'.encode()]\n"
        )
    return pyhost


@pytest.mark.timeout(240)
def test_chroot(place, start):
    root = place.path("root")
    pyhost = make_root(root)
    options = {"user": FIRST, "chroot": root, "chdir": "/srv/site", "python": "/usr/bin/python3"}
    place.write(f"user = {GATEWAY}", place.pool("one", "jailed", **options))
    assert daemon.run("-t", "--config", place.file).returncode == 0
    running = start(None, config=place.file)
    answer = place.post("one", b"")
    assert answer.status == 200 and answer.body == b"/srv/site False"
    worker = running.only_worker()
    assert os.readlink(f"/proc/{worker}/root") == root
    check_dropped(worker, FIRST)
    running.stop()

    with open(root + pyhost + "/loader.py", "a", encoding="ascii") as file:
        file.write("# of another version\n")
    done = daemon.run("-t", "--config", place.file)
    assert done.returncode == CONFIGURATION
    assert f'"{root}{pyhost}/loader.py" is not a copy of "{pyhost}/loader.py"' in done.stderr
    assert place.line_of("chroot") in done.stderr


@pytest.mark.timeout(240)
def test_in_another_root_both_commands_of_a_worker_run_there(place, start):
    root = place.path("root")
    make_root(root)
    copy_into(root, "/bin/sh", *libraries("/bin/sh"))
    said = "echo $PYCGID_WORKER in $(pwd), $(test -e /etc/passwd || echo alone)"
    options = {"user": FIRST, "chroot": root, "chdir": "/srv/site", "python": "/usr/bin/python3"}
    options |= {"on_start": said, "on_exit": said}
    place.write(f"user = {GATEWAY}", place.pool("one", "jailed", **options))
    running = start(None, config=place.file)
    running.wait_line(r"notice one/1\[\d+\]: 1 in /srv/site, alone$")
    running.signal(signal.SIGTERM)
    running.wait_line(r"notice one/1/on-exit\[\d+\]: 1 in /srv/site, alone$")


@pytest.mark.parametrize("option", ["on_start", "on_exit"])
def test_a_root_without_a_shell_is_named(place, option):
    root = place.path("root")
    make_root(root)
    options = {"user": FIRST, "chroot": root, "chdir": "/srv/site", "python": "/usr/bin/python3"}
    place.write(f"user = {GATEWAY}", place.pool("one", "jailed", **options, **{option: "true"}))
    done = daemon.run("-t", "--config", place.file)
    assert done.returncode == CONFIGURATION
    name = option.replace("_", "-")
    assert done.stderr.splitlines()[-1].endswith(
        f'cannot run "/bin/sh": there is no "/bin" (option "{name}", {place.line_of(name)}); '
        f'the path is one below "{root}" (option "chroot", {place.line_of("chroot")})'
    )


def test_chroot_without_what_it_takes(place):
    os.mkdir(place.path("root"))
    options = {"user": FIRST, "chroot": place.path("root"), "chdir": None}
    place.write(f"user = {GATEWAY}", place.pool("one", "jailed", **options))
    done = daemon.run("-t", "--config", place.file)
    assert done.returncode == CONFIGURATION and "is not a copy of" in done.stderr
    place.write(f"user = {GATEWAY}", place.pool("one", "jailed", **{**options, "chroot": "/none"}))
    done = daemon.run("-t", "--config", place.file)
    assert done.returncode == CONFIGURATION and "/none" in done.stderr
