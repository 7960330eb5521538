"""What is often wrong with a virtual environment and would otherwise show as a module that is
missing: it was made for another Python, or its packages are closed to the worker's user. Used by
boot.py before anything of the application is imported."""

import os
import pwd
import site
import stat
import sys

__version__ = "@PROJECT_VERSION@"


def problem():
    """One line for the administrator, or None."""
    if sys.prefix == sys.base_prefix:
        return None
    return other_python(sys.prefix) or closed_packages(sys.prefix)


def other_python(prefix):
    """Packages lie in a directory that is named after Python's version."""
    made_for = environment_version(prefix)
    version = sys.version_info[:2]
    if made_for is None or made_for == version:
        return None
    return (
        f'virtual environment "{prefix}" was made for Python {dotted(made_for)}, and its python is'
        f' Python {dotted(version)}, which would not find its packages (option "venv");'
        f" make it anew with python3 -m venv --clear {prefix}, and install them again"
    )


def environment_version(prefix):
    """What pyvenv.cfg says, as numbers; None when it says nothing. virtualenv calls it
    version_info."""
    try:
        pairs = [line.partition("=")[::2] for line in read_lines(prefix + "/pyvenv.cfg")]
    except OSError:
        return None
    settings = {name.strip().lower(): value.strip() for name, value in pairs}
    text = settings.get("version_info") or settings.get("version") or ""
    try:
        major, minor = text.split(".")[:2]
        return int(major), int(minor)
    except ValueError:
        return None


def read_lines(path):
    """Of a file that anybody may have put there: none when it is no regular file; no wait, and no
    end of it is awaited."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        is_regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        text = file.read(65536) if is_regular else b""
    return text.decode("utf-8", "replace").splitlines()


def dotted(version):
    return ".".join(map(str, version))


def closed_packages(prefix):
    for directory in site.getsitepackages([prefix]):
        if missing := missing_right(directory):
            return (
                f'cannot read the packages in "{directory}": user "{user_name()}" may not {missing}'
                ' (option "venv")'
            )
    return None


def missing_right(directory):
    """`search directory "/root" (mode 0700)`: what keeps this user from a directory that is there;
    None when nothing does."""
    path = os.path.realpath(directory)
    parents = [path]
    while parents[-1] != os.path.dirname(parents[-1]):
        parents.append(os.path.dirname(parents[-1]))
    for parent in reversed(parents):
        if not os.path.isdir(parent):
            return None
        if not os.access(parent, os.X_OK):
            return f'search directory "{parent}"{rights(parent)}'
    return None if os.access(path, os.R_OK) else f'read directory "{path}"{rights(path)}'


def rights(path):
    return f" (mode {os.stat(path).st_mode & 0o7777:04o})"


def user_name():
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
