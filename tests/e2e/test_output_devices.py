"""/dev/stdout and /dev/stderr, which programs name for their log, in workers of another user than
the daemon's. They run as root, with users of Debian's that nobody is."""

import pytest
from harness import cgi, fastcgi
from harness.real_users import FIRST, GATEWAY

APPLICATION = """
import logging.config, subprocess
logging.config.dictConfig({
    "version": 1,
    "handlers": {"file": {"class": "logging.FileHandler", "filename": "/dev/stderr"}},
    "root": {"handlers": ["file"], "level": "INFO"},
})
def application(environ, start_response):
    logging.info("by a handler")
    for name in ("/dev/stdout", "/dev/stderr", "/proc/self/fd/1", "/proc/self/fd/2"):
        with open(name, "a") as stream:
            print("to", name, file=stream)
    subprocess.run(["sh", "-c", "echo by a child >/dev/stdout"], check=True)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"opened"]
"""


@pytest.mark.parametrize("preload", [None, "yes"])
def test_a_worker_of_another_user_opens_its_output_by_name(place, start, preload):
    with open(place.path("devices.py"), "w", encoding="utf-8") as file:
        file.write(APPLICATION)
    options = {"user": FIRST, "chdir": place.directory, "preload": preload}
    place.write(f"user = {GATEWAY}", place.pool("one", "devices", **options))
    running = start(None, config=place.file)
    assert fastcgi.fetch(place.path("one.sock"), cgi.variables()).text == "opened"
    for text in ("by a handler", "to /dev/stdout", "to /dev/stderr", "to /proc/self/fd/1",
                 "to /proc/self/fd/2", "by a child"):
        running.wait_line(rf" one/\S+: {text}$")
