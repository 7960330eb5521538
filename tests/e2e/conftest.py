"""Fixtures of the end-to-end tests."""

import contextlib
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from harness import real_users, tls  # noqa: E402  (the path is set just above)
from harness.daemon import Daemon  # noqa: E402


@pytest.fixture
def place():
    """A site for real users; to be asked for before `start`, so that its daemon ends first."""
    with real_users.open_directory() as directory:
        yield real_users.Site(directory)


@pytest.fixture
def start():
    """Starts daemons, and ends each of them with its checks when the test is over."""
    with contextlib.ExitStack() as stack:
        yield lambda *arguments, **more: stack.enter_context(Daemon(*arguments, **more))


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Whom clients with TLS trust."""
    return tls.Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def identity(authority):
    """The daemon's certificate and key."""
    return authority.issue("localhost")


@pytest.fixture(scope="session")
def client(authority):
    """What a client needs for TLS that has no certificate of its own."""
    return tls.context(authority)
