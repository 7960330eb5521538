"""Where an application waits until its test lets it go on (tests/apps/gate_client.py)."""

import os
import socket


class Visitor:
    """An application that waits at the gate."""

    def __init__(self, connection, name, pid, thread):
        self._connection = connection
        self.name = name
        self.pid = pid
        self.thread = thread

    def release(self):
        """Lets it go on."""
        self._connection.sendall(b"!")
        self.forget()

    def forget(self):
        """Waits for it no longer."""
        self._connection.close()


class Gate:
    def __init__(self, directory):
        self.path = os.path.join(directory, "gate")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        os.chmod(self.path, 0o777)
        self._listener.listen(128)
        self._visitors = []  # Whoever is forgotten must not go on.

    def arrival(self, deadline=10):
        """The next application that arrives; fails when none does in time."""
        self._listener.settimeout(deadline)
        connection = self._listener.accept()[0]
        connection.settimeout(deadline)
        name, pid, thread = connection.makefile().readline().split()
        visitor = Visitor(connection, name, int(pid), int(thread))
        self._visitors.append(visitor)
        return visitor

    def nobody_waits(self):
        """True when no application has arrived since the last one was let in."""
        self._listener.setblocking(False)
        try:
            self._listener.accept()[0].close()
            return False
        except BlockingIOError:
            return True

    def close(self):
        self._listener.close()
        for visitor in self._visitors:
            visitor.forget()
