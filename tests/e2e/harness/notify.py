"""A service manager's end of sd_notify(3): what the daemon says, a message at a time."""

import os
import re
import socket
import time


class Manager:
    """Listens at `address`, a path or "@name"; used as a context manager."""

    def __init__(self, address):
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        if not address.startswith("@"):
            os.chmod(address, 0o777)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def environment(self, **more):
        return {"NOTIFY_SOCKET": self.address, **more}

    def next(self, deadline=20):
        """The next message as a dict of its lines; None when there is none in time."""
        self._socket.settimeout(deadline)
        try:
            text = self._socket.recv(65536).decode()
        except (TimeoutError, BlockingIOError):
            return None
        return dict(line.split("=", 1) for line in text.splitlines())

    def wait(self, name, pattern=".*", deadline=20):
        """The next message with such a line; others before it are dropped."""
        limit = time.monotonic() + deadline
        while (left := limit - time.monotonic()) > 0:
            message = self.next(left) or {}
            if re.fullmatch(pattern, message.get(name, "")) and name in message:
                return message
        raise AssertionError(f"the daemon did not say {name}={pattern}")

    def waiting(self):
        """All messages that have come by now."""
        messages = []
        while message := self.next(0):
            messages.append(message)
        return messages
