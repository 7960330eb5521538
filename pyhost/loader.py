"""Finds and imports the application that an APP argument names: `module`, `module:callable`, a path
to a .py or .wsgi file, or `path:callable`. Used by boot.py, in the worker's main thread."""

import functools
import importlib.machinery
import importlib.util
import os
import sys
import traceback
import types

DEFAULT_CALLABLE = "application"


class CannotLoad(Exception):
    """The message says in one line what is wrong, for the administrator."""


def prepare_path(app, directories):
    """Makes sys.path what `python -m` would: the given directories, then the current one. A file
    also finds what lies beside it."""
    name, _ = split(app)
    wanted = [os.path.abspath(directory) for directory in directories]
    wanted.append(os.getcwd())
    if is_file(name):
        wanted.append(os.path.dirname(os.path.abspath(name)))
    sys.path[:0] = dict.fromkeys(wanted)


def load(app):
    """Returns the WSGI callable. A traceback of the application's own goes to sys.stderr."""
    name, attribute = split(app)
    try:
        module = import_file(name) if is_file(name) else import_module(name)
    except BaseException as error:
        print_application_traceback(error)
        raise CannotLoad(f'cannot load application "{app}": {explain(error)}') from None
    try:
        return find_callable(module, name, attribute)
    except CannotLoad as error:
        raise CannotLoad(f'cannot load application "{app}": {error}') from None


def split(app):
    name, colon, attribute = app.rpartition(":")
    return (name, attribute) if colon and "/" not in attribute else (app, DEFAULT_CALLABLE)


def is_file(name):
    """`blog.wsgi` is most often the module of that name, and a file only where there is one."""
    return "/" in name or name.endswith(".py") or (name.endswith(".wsgi") and os.path.isfile(name))


def import_module(name):
    # Not importlib.import_module(): this one keeps the import system out of tracebacks.
    __import__(name)
    return sys.modules[name]


def import_file(path):
    """Like `import`, under the file's own name, so that other modules which import it get the same
    one; unless there is another of that name already."""
    name = os.path.splitext(os.path.basename(path))[0]
    if not name.isidentifier() or name in sys.modules:
        name = "pycgid_application"
    path = os.path.abspath(path)
    loader = importlib.machinery.SourceFileLoader(name, path)
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_file_location(name, path, loader=loader)
    )
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def find_callable(module, name, attribute):
    try:
        found = functools.reduce(getattr, attribute.split("."), module)
    except AttributeError:
        names = callables(module)
        known = f"callables in it are: {', '.join(names)}" if names else "there is no callable in it"
        raise CannotLoad(f'module "{name}" has no attribute "{attribute}"; {known}') from None
    if not callable(found):
        raise CannotLoad(f'"{name}:{attribute}" is not callable')
    return found


def callables(module):
    """What may be the application: callables that the module made itself."""
    return [
        name
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_") and is_own(module, value)
    ]


def is_own(module, value):
    imported_kinds = (type, types.FunctionType, types.BuiltinFunctionType)
    return not isinstance(value, imported_kinds) or value.__module__ == module.__name__


def explain(error):
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    if isinstance(error, ModuleNotFoundError):
        text += f"; looked in {', '.join(sys.path)}"
    return text


def print_application_traceback(error):
    """Without the frames of ours and of the import system; not at all when nothing is left that the
    message does not say."""
    own = error.__traceback__
    while own is not None and is_machinery(own.tb_frame.f_code.co_filename):
        own = own.tb_next
    if own is not None or isinstance(error, SyntaxError):
        traceback.print_exception(type(error), error, own)


def is_machinery(filename):
    return filename == __file__ or filename.startswith("<frozen importlib")
