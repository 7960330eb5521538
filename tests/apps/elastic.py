"""An application that tells which process it runs in, at once or after a while."""

import os
import time

from gate_client import wait_at_gate


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/wait":
        wait_at_gate("wait")
    if path == "/nap":
        time.sleep(0.05)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
