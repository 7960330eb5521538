"""Option log-format, and what of the application's words gets into the log, in which form."""

import json
import os
import re
import socket
import subprocess

import pytest
from harness.daemon import LINE, Daemon

WORKER = r" logging_site/1\[\d+\]: "
ID = r"\[[0-9a-f]+-\d+\] "


@pytest.fixture
def daemon(start):
    running = start("logging_site", "--log-level", "debug")
    running.expect(WORKER)
    return running


def test_records_of_logging_keep_their_levels(daemon):
    daemon.get("/levels")
    for level in ("debug", "info", "warning", "error"):
        daemon.wait_line(f" {level}{WORKER}{ID}shop: said at {level}$")
    daemon.wait_line(f" error{WORKER}{ID}shop: said at critical$")


def test_a_record_of_several_lines_is_one_entry(daemon):
    daemon.get("/failure")
    first = daemon.wait_line(f" error{WORKER}{ID}shop: it failed.*$").group(0)
    assert first.endswith(r"failed\x1b[2J")
    daemon.wait_line(r"\| LookupError: caught$")
    at = next(i for i, line in enumerate(daemon.lines) if "it failed" in line)
    stamp = daemon.lines[at][:24]
    entry = [line for line in daemon.lines[at + 1 :] if "| " in line]
    assert all(line.startswith(stamp) and re.search(ID + r"\| ", line) for line in entry)
    assert daemon.lines[at + 1 : at + 1 + len(entry)] == entry


def test_a_raw_write_without_an_end_leaves_the_next_line_its_level_and_id(daemon):
    daemon.get("/unfinished")
    daemon.wait_line(f" error{WORKER}{ID}shop: after the progress$")
    daemon.stop()
    assert daemon.count(f" notice{WORKER}progress 50%$") == 1


def test_a_raw_write_cannot_forge_an_entry(daemon):
    daemon.get("/forged")
    daemon.wait_line(f" notice{WORKER}" + re.escape(r"\x01E1234-5\x01forged") + "$")
    daemon.wait_line(f" notice{WORKER}" + re.escape(r"E\x04abcdforged as well") + "$")


def test_the_log_is_utf_8_and_escaped_once(daemon):
    daemon.get("/raw")
    daemon.wait_line(WORKER + re.escape(r"caf\xe9 é \\x1b \x1b end") + "$")
    daemon.get("/nowhere", REQUEST_URI="/a\x1b\nb")
    daemon.wait_line(WORKER + ID + "GET /a%1B%0Ab: the application failed$")


def test_a_line_of_64_kib_stays_one_and_a_longer_one_is_cut_visibly(daemon):
    daemon.get("/long")
    for letter in "pw":
        daemon.wait_line(letter * 65536 + r"\.\.\. \(cut, 4464 bytes more\)$")


def test_what_a_dying_worker_said_is_in_the_log(daemon):
    assert daemon.get("/crash").status == 502
    daemon.wait_line("error .*signal 6")
    daemon.expect("running")
    order = [
        "printed before the crash$", "unfinished before the crash$",
        "raw before the crash$", "Fatal Python error: Aborted", r"in crash$",
    ]  # fmt: skip
    found = [
        next(i for i, line in enumerate(daemon.lines) if re.search(text, line)) for text in order
    ]
    assert found[:2] == sorted(found[:2]) and found[2:] == sorted(found[2:])


@pytest.fixture
def run_in(tmp_path):
    """A daemon with this format; its log comes as lines of a file."""
    log = tmp_path / "log"
    daemons = []

    def run(form, *options):
        options = ("--log", str(log), "--log-format", form, "--log-level", "info", *options)
        daemon = Daemon("logging_site", "--fastcgi", f"unix:{tmp_path}/socket", *options)
        daemon.fastcgi = f"{tmp_path}/socket"
        daemons.append(daemon)
        wait_for(log, "ready: pool")
        return daemon

    run.log = log
    yield run
    for daemon in daemons:
        daemon.kill()


def wait_for(path, text):
    """Waits until the file has a line with this text; returns its last one."""
    subprocess.run(["touch", path], check=True)
    found = subprocess.run(
        ["timeout", "20", "grep", "-a", "-m1", "--line-buffered", "-e", text],
        stdin=subprocess.Popen(
            ["timeout", "20", "tail", "-n", "+1", "-F", "--quiet", path],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ).stdout,
        stdout=subprocess.PIPE,
        check=True,
    )
    return found.stdout.decode().rstrip("\n")


def test_plain_leaves_the_applications_lines_undecorated(run_in):
    daemon = run_in("plain")
    daemon.get("/structured")
    line = wait_for(run_in.log, '"begin"')
    assert json.loads(line) == {"begin": 1, "text": "x\\y\n" * 5000, "end": 2}
    daemon.get("/levels")
    assert wait_for(run_in.log, "said at warning") == "shop: said at warning"
    assert LINE.fullmatch(wait_for(run_in.log, "ready: pool"))


def test_json_is_an_object_a_line(run_in):
    daemon = run_in("json")
    daemon.get("/failure")
    entry = json.loads(wait_for(run_in.log, "it failed"))
    assert entry["text"].startswith("shop: it failed\x1b[2J\nTraceback")
    assert entry["level"] == "error" and entry["object"] == "logging_site/1"
    assert isinstance(entry["pid"], int) and re.fullmatch("[0-9a-f]+-[0-9]+", entry["request"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"])
    lines = run_in.log.read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["object"] for line in lines} >= {"master", "logging_site/1"}


def test_json_has_the_request_of_a_line_of_the_gateway(run_in):
    daemon = run_in("json")
    assert daemon.get("/", CONTENT_LENGTH="none").status == 400
    entry = json.loads(wait_for(run_in.log, "answered 400"))
    assert entry["object"] == "logging_site"
    assert entry["text"].startswith(f"request {entry['request']} (GET /): answered 400: ")


@pytest.mark.parametrize("form", ["text", "plain", "json"])
def test_lines_for_the_journal_begin_with_a_priority(form, tmp_path):
    """Where JOURNAL_STREAM is standard error's own socket."""
    ours, theirs = socket.socketpair()
    info = os.fstat(theirs.fileno())
    stream = f"{info.st_dev}:{info.st_ino}"
    path = f"{tmp_path}/socket"
    command = ["bash", "-c", f'exec "$@" 2>&{theirs.fileno()}', "bash"]
    daemon = Daemon(
        "logging_site", "--fastcgi", f"unix:{path}", "--log-format", form,
        command=command, pass_fds=(theirs.fileno(),), env={"JOURNAL_STREAM": stream},
    )  # fmt: skip
    theirs.close()
    try:
        daemon.fastcgi = path
        lines = ours.makefile(encoding="utf-8")
        assert re.match("<5>.*ready", next(line for line in lines if "ready" in line))
        daemon.get("/failure")
        daemon.get("/levels")
        seen = []
        for line in lines:
            seen.append(line)
            if "said at critical" in line:
                break
        assert all(re.match("<[34]>", line) for line in seen), seen
        assert any(line.startswith("<4>") and "said at warning" in line for line in seen)
        assert any(line.startswith("<3>") and "LookupError: caught" in line for line in seen)
    finally:
        daemon.kill()


def test_another_streams_journal_gets_no_priorities(start):
    daemon = start("logging_site", env={"JOURNAL_STREAM": "1:2"})
    assert LINE.fullmatch(daemon.wait_line(".*ready: pool.*").group(0))
