"""The program and its applications where every user can reach them, wherever the clone lies: root's
own folder, where root clones to, is closed to the users that pools run as."""

import atexit
import os
import shutil
import tempfile

SOURCE = os.path.normpath(os.path.join(os.path.dirname(__file__), "../../.."))


def reachable(directory, *names):
    """The directory, if everybody may search it; otherwise a copy of these names in it, or of all."""
    directory = os.path.abspath(directory)
    if os.geteuid() != 0 or _everybody_may_search(directory):
        return directory
    copy = tempfile.mkdtemp(prefix="pycgid-place-")
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    os.chmod(copy, 0o755)
    return copy_to(copy, directory, *names)


def copy_to(target, directory, *names):
    """Copies what is named, or all, and returns the target."""
    for name in names or os.listdir(directory):
        here, there = os.path.join(directory, name), os.path.join(target, name)
        if os.path.isdir(here):
            shutil.copytree(here, there, ignore=shutil.ignore_patterns("CMakeFiles", "*.a"))
        else:
            shutil.copy(here, there)
    return target


def _everybody_may_search(directory):
    while os.stat(directory).st_mode & 0o001:
        if directory == "/":
            return True
        directory = os.path.dirname(directory)
    return False
