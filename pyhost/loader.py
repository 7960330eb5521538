"""Finds and imports the application that an APP argument names (application_name.py), or has its
factory make it. Used by boot.py, in the worker's main thread."""

import functools
import importlib.machinery
import importlib.util
import os
import sys
import types

import pycgid_application_name as application_name
import pycgid_exception_text as exception_text
import pycgid_interface as interface

__version__ = "@PROJECT_VERSION@"

child_program = "child.py"  # where it is, by boot.py

# A module of this name has been loaded from a file by its path.
PRIVATE_NAME = "pycgid_application"


class CannotLoad(Exception):
    """The message says in one line what is wrong, for the administrator."""


class NoApplication(CannotLoad):
    """What is named can never be served, however often it is tried. Anything else may pass: a
    database that refuses the connection, a package that is being installed."""


def prepare_path(name, directories):
    """Makes sys.path what `python -m` would: the given directories, then the current one. A file
    also finds what lies beside it."""
    wanted = [*directories, "."]
    if name.is_file:
        wanted.append(os.path.dirname(name.target) or ".")
    sys.path[:0] = dict.fromkeys(map(os.path.abspath, wanted))


def load(app, directories, log):
    """Returns the WSGI callable. `directories` are for sys.path; a traceback of the application's
    own goes to `log`, a function."""
    try:
        name = application_name.parse(app)
        prepare_path(name, directories)
        return find(name, log)
    except OSError as error:  # of prepare_path()
        raise CannotLoad(f'cannot load application "{app}": no directory: {error}') from None
    except application_name.WrongName as error:
        raise NoApplication(f'cannot load application "{app}": {error}') from None
    except CannotLoad as error:
        raise type(error)(f'cannot load application "{app}": {error}') from None


def find(name, log):
    found = run_application_code(log, find_callable, name)
    if name.call is not None:
        found = run_application_code(log, make_application, found, name)
    if problem := interface.problem(found, str(name)):
        raise NoApplication(problem)
    return found


def run_application_code(log, function, *arguments):
    """Whatever goes wrong in it is told, traceback and all."""
    try:
        return function(*arguments)
    except CannotLoad:
        raise
    except BaseException as error:
        if traceback := exception_text.application_traceback(error, __file__):
            log(traceback)
        kind = NoApplication if is_lasting(error, arguments[-1]) else CannotLoad
        raise kind(exception_text.explain(error)) from None


def is_lasting(error, name):
    """The text is no Python, or there is nothing of that name."""
    if type(error) is ModuleNotFoundError:
        return not name.is_file and f"{name.target}.".startswith(f"{error.name}.")
    if type(error) is FileNotFoundError:
        return name.is_file and error.filename == os.path.abspath(name.target)
    return isinstance(error, SyntaxError)


def import_module(name):
    # Not importlib.import_module(): this one keeps the import system out of tracebacks.
    __import__(name)
    return sys.modules[name]


def import_file(path):
    path = os.path.abspath(path)
    name = module_name(path)
    if name in sys.modules and name != PRIVATE_NAME:
        return sys.modules[name]
    if name == PRIVATE_NAME:
        tell_children(path)
    loader = importlib.machinery.SourceFileLoader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def module_name(path):
    """The file's own name if other modules that import this name get the very file, and with this
    the same module; no file ending in .wsgi is imported by its name."""
    name, ending = os.path.splitext(os.path.basename(path))
    if ending != ".py" or not name.isidentifier():
        return PRIVATE_NAME
    try:
        origin = importlib.util.find_spec(name).origin
        return name if os.path.samefile(origin, path) else PRIVATE_NAME
    except Exception:  # There is no such module, no such file, or a finder that fails.
        return PRIVATE_NAME


def tell_children(path):
    """For what is spawned by multiprocessing: that runs the parent's main program and then imports,
    by the names of modules, what is pickled. Some applications do so while they are imported."""
    sys.modules["__main__"].__file__ = child_program
    os.environ["PYCGID_APPLICATION_FILE"] = path


def find_callable(name):
    load_module = import_file if name.is_file else import_module
    module = load_module(name.target)
    try:
        found = functools.reduce(getattr, name.attribute.split("."), module)
    except AttributeError:
        names = callables(module)
        known = f"callables in it are: {', '.join(names)}"
        if not names:
            known = "there is no callable in it"
        raise NoApplication(
            f'module "{name.target}" has no attribute "{name.attribute}"; {known}'
        ) from None
    if not callable(found):
        raise NoApplication(f'"{name.target}:{name.attribute}" is not callable')
    return found


def make_application(factory, name):
    found = factory(*name.call.positional, **name.call.keywords)
    if not callable(found):
        what = f'an object of type "{type(found).__name__}", which is not callable'
        if found is None:
            what = "None"
        elif isinstance(found, types.CoroutineType):
            found.close()
            what = "a coroutine; a factory has to be a plain function"
        raise NoApplication(f'"{name}" returned {what}')
    return found


def callables(module):
    """What may be the application: callables that the module made itself."""
    return [
        name
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_") and is_own(module, value)
    ]


def is_own(module, value):
    if not issubclass(type(value), (type, types.FunctionType, types.BuiltinFunctionType)):
        return True
    return getattr(value, "__module__", None) == module.__name__
