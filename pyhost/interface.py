"""Tells whether a callable can be a WSGI application: callable with (environ, start_response), and
no coroutine function. Used by loader.py.

Only what is certain is refused. What a call would do is known of Python's own functions, methods,
partials and classes; a decorator that takes any arguments, a callable written in C and an object
that stands for another are taken as they are.
"""

import functools
import re
import sys
import types

__version__ = "@PROJECT_VERSION@"

ARGUMENTS = 2  # environ and start_response
ASGI_ARGUMENTS = 3  # scope, receive and send
ASGI_NAMES = ["scope", "receive", "send"]
FUNCTIONS = (types.FunctionType, types.MethodType, functools.partial)
# Of code objects; module inspect is not imported for this into every application.
VARARGS = 0x4
COROUTINES = 0x80 | 0x100 | 0x200  # by async def, types.coroutine; asynchronous generators
FACTORY = re.compile(r"(create|make|get|build|new|init|setup)(_|$)|.*factory$", re.IGNORECASE)


class Parameters:
    """What a call of a function written in Python takes, besides what is bound already."""

    def __init__(self, function, bound, keywords):
        """Of the code itself; what a decorator says in __wrapped__ or __signature__ need not be
        what the function takes. `bound` arguments and `keywords` are given already."""
        code = function.__code__
        names = code.co_varnames[: code.co_argcount]
        required = len(names) - len(function.__defaults__ or ())
        # Behind a parameter that is given by its name, no other can be given by position.
        end = min([names.index(key) for key in keywords if key in names] or [len(names)])
        only_keywords = code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount]
        given = {*keywords, *(function.__kwdefaults__ or ())}
        self.name = function.__name__
        self.names = list(names[bound:end])  # that can be given by position
        self.required = max(0, min(required, end) - bound)  # so many of them have to be
        self.takes_more = bool(code.co_flags & VARARGS) and end == len(names)
        self.required_keywords = [
            each for each in (*names[end:required], *only_keywords) if each not in given
        ]
        self.is_coroutine = bool(code.co_flags & COROUTINES) or is_marked(function)

    @property
    def is_asgi(self):
        return self.is_coroutine and self.fits(ASGI_ARGUMENTS)

    def fits(self, count):
        return self.required <= count and (self.takes_more or count <= len(self.names))

    @property
    def listed(self):
        return f" ({', '.join(self.names)})" if self.names else ""


def problem(application, name):
    """Why it cannot be a WSGI application, and what to do; None if it can be. `name` is as the
    administrator wrote it."""
    try:
        reason = problem_of_class if is_a(application, type) else problem_of_callable
        return reason(application, name)
    except Exception:  # An object that plays tricks is judged by its answers.
        return None


def is_a(value, *kinds):
    """What it really is: an object that stands for another gives the other's class for its own."""
    return issubclass(type(value), kinds)


def problem_of_callable(application, name):
    given = parameters_of(application)
    if given is None:
        return None
    if is_asgi(application, given):
        return f'"{name}" is an ASGI application: {asgi_sign(application, given)}; ' + remedy(
            application
        )
    if given.is_coroutine:
        return (
            f'"{name}" is a coroutine function, which a WSGI application is not; pycgid runs WSGI'
            " applications"
        )
    if given.fits(ARGUMENTS) and not given.required_keywords and not is_factory(given):
        return None
    if given.fits(0) and not given.required_keywords:
        return (
            f'"{name}" is no WSGI application but seems to make one: it can be called without'
            f' arguments; use "{name}()"'
        )
    return (
        f'"{name}" is no WSGI application: it takes {argument_count(given)} and not (environ,'
        f' start_response); if it makes the application, use "{name}(...)" with its arguments'
    )


def argument_count(given):
    if given.required_keywords:
        return f"the keyword {', '.join(given.required_keywords)}"
    count = given.required if given.required > ARGUMENTS else len(given.names)
    return f"{count} argument{'' if count == 1 else 's'}{given.listed}"


def is_factory(given):
    """`create_app(config=None, testing=False)` could be called with two arguments, too."""
    return (
        given.required == 0
        and not given.takes_more
        and FACTORY.match(given.name) is not None
        and not any("env" in name or "start" in name for name in given.names)
    )


# --- ASGI ----------------------------------------------------------------------------------------


def is_asgi(application, given):
    if given.is_asgi or given.names[:ASGI_ARGUMENTS] == ASGI_NAMES:
        return True
    # A decorator that passes on whatever it gets takes what the decorated function takes.
    return bool(given.takes_more and not given.names and wrapped_asgi(application))


def wrapped_asgi(application):
    inner = innermost(application)
    if inner is application:
        return False
    given = Parameters(inner, 0, set())
    return given.is_asgi and given.required == ASGI_ARGUMENTS


def asgi_sign(application, given):
    shown = given if given.names else Parameters(innermost(application), 0, set())
    kind = "a coroutine function" if shown.is_coroutine else "a function"
    if not is_a(application, *FUNCTIONS):
        kind = f"{type(application).__name__} objects are called as {kind}"
    return f"{kind} of {', '.join(shown.names)}"


def remedy(application):
    if type(application).__module__.startswith("django."):
        return (
            "pycgid runs WSGI applications; Django has one, get_wsgi_application() of"
            " django.core.wsgi, in the project's wsgi.py"
        )
    return (
        "pycgid runs WSGI applications; name the project's WSGI application, or wrap this one, as"
        " a2wsgi.ASGIMiddleware does"
    )


# --- classes -------------------------------------------------------------------------------------


def problem_of_class(kind, name):
    """`class App: __init__(self, environ, start_response), __iter__(self)` is an application."""
    if type(kind).__call__ is not type.__call__ or kind.__new__ is not object.__new__:
        return None
    given = parameters_of_method(kind, "__init__")
    if given is None and kind.__init__ is not object.__init__:
        return None
    if given is not None and given.fits(ARGUMENTS) and not given.required_keywords:
        if hasattr(kind, "__iter__") or hasattr(kind, "__getitem__"):
            return None
        why = "its objects cannot be iterated over"
    else:
        why = "it is not made from (environ, start_response)"
    makes_it_without = given is None or (given.fits(0) and not given.required_keywords)
    arguments = "()" if makes_it_without else "(...)"
    return (
        f'"{name}" is a class, and no WSGI application by itself: {why}; if its objects are'
        f' applications, use "{name}{arguments}"'
    )


# --- parameters ----------------------------------------------------------------------------------


def parameters_of(application):
    """None if they cannot be known."""
    positional, keywords = 0, set()
    while is_a(application, functools.partial):
        if getattr(functools, "Placeholder", application) in application.args:
            return None
        positional += len(application.args)
        keywords |= application.keywords.keys()
        application = application.func
    if is_a(application, type):
        return parameters_of_method(application, "__init__") if positional or keywords else None
    if is_a(application, types.MethodType):
        positional += 1
        application = application.__func__
    elif not is_a(application, types.FunctionType):
        positional += 1
        application = method_of(type(application), "__call__")
    if not is_a(application, types.FunctionType):
        return None
    return Parameters(application, positional, keywords)


def parameters_of_method(kind, name):
    function = method_of(kind, name)
    if not is_a(function, types.FunctionType):
        return None
    return Parameters(function, 1, set())


def method_of(kind, name):
    """As it stands in the class: neither bound nor made up by __getattr__."""
    return next((vars(each)[name] for each in kind.__mro__ if name in vars(each)), None)


def is_marked(function):
    """By inspect.markcoroutinefunction; nobody has done so without that module."""
    inspect = sys.modules.get("inspect")
    return inspect is not None and inspect.iscoroutinefunction(function)


def innermost(function):
    """What decorators say they wrap."""
    for _ in range(100):
        inner = getattr(function, "__wrapped__", None)
        if not is_a(inner, types.FunctionType):
            break
        function = inner
    return function
