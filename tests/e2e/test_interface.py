"""What is taken for a WSGI application and what is not, without a daemon: the worker's own scripts."""

import functools
import importlib
import subprocess
import sys
import types

import pytest
from harness import scripts

interface = scripts.load("interface")


# --- WSGI applications of all kinds ---


def plain(environ, start_response):
    return []


def generator(environ, start_response):
    yield b""


def more(environ, start_response, option=None, *rest, **others):
    return []


def defaults(environ=None, start_response=None):
    return []


def anything(*arguments):
    return []


def third(site, environ, start_response):
    return []


class Made:
    """An application by its class."""

    def __init__(self, environ, start_response):
        pass

    def __iter__(self):
        return iter(())


class Odd:
    """What comes out of it is anybody's guess."""

    def __new__(cls, whatever):
        return []


class Site:
    def __call__(self, environ, start_response):
        return []

    def method(self, environ, start_response):
        return []

    @classmethod
    def of_class(cls, environ, start_response):
        return []

    @staticmethod
    def alone(environ, start_response):
        return []


class Static:
    @staticmethod
    def __call__(environ, start_response):
        return []


class Tricky:
    """An object that fails whoever looks at it, as an unbound proxy does."""

    @property
    def __class__(self):
        raise RuntimeError("not bound")

    def __getattr__(self, name):
        raise RuntimeError("not bound")

    def __call__(self, environ, start_response):
        return []


def takes_request(request):
    return []


@functools.wraps(takes_request)
def adapter(*arguments):
    """Werkzeug's Request.application makes such."""
    return []


@functools.wraps(takes_request)
def named_adapter(environ, start_response):
    return []


async def asgi(scope, receive, send):
    pass


@functools.wraps(asgi)
def asgi_adapter(environ, start_response):
    return []


def signed(*arguments):
    return []


signed.__signature__ = "nonsense"


@pytest.mark.parametrize(
    "application",
    [
        plain,
        generator,
        more,
        defaults,
        anything,
        functools.partial(third, "site"),
        functools.partial(more, option=1),
        functools.partial(functools.partial(third, "site")),
        Made,
        Odd,
        Site(),
        Site().method,
        Site.of_class,
        Site.alone,
        Static(),
        adapter,
        named_adapter,
        asgi_adapter,
        signed,
        print,  # written in C
        zip,
        type("Made", (list,), {"__init__": lambda self, environ, start_response: None}),
        lambda *arguments, **keywords: [],
    ],
    ids=repr,
)
def test_wsgi_applications_are_taken(application):
    assert interface.problem(application, "app") is None


def test_an_object_that_fails_whoever_looks_at_it_is_taken():
    assert interface.problem(Tricky(), "app") is None


def frameworks():
    django = pytest.importorskip("django.core.handlers.wsgi")
    flask = pytest.importorskip("flask")
    bottle = pytest.importorskip("bottle")
    pyramid = pytest.importorskip("pyramid.config")
    webob = pytest.importorskip("webob.dec")
    werkzeug = pytest.importorskip("werkzeug")
    yield django.WSGIHandler.__new__(django.WSGIHandler)
    yield flask.Flask("site")
    yield flask.Flask("site").wsgi_app
    yield bottle.Bottle()
    yield bottle.default_app()
    yield pyramid.Configurator().make_wsgi_app()
    yield webob.wsgify(takes_request)
    yield werkzeug.Request.application(takes_request)
    yield werkzeug.Response("text")
    yield werkzeug.exceptions.NotFound()
    yield werkzeug.wsgi.responder(plain)
    yield werkzeug.middleware.proxy_fix.ProxyFix(plain)


def test_applications_of_frameworks_are_taken():
    importlib.import_module("werkzeug.middleware.proxy_fix")
    importlib.import_module("werkzeug.wsgi")
    for application in frameworks():
        assert interface.problem(application, "app") is None, application


def test_wrapt_decorators_are_taken():
    wrapt = pytest.importorskip("wrapt")

    @wrapt.decorator
    def with_request(wrapped, instance, arguments, keywords):
        return wrapped(arguments[0])

    assert interface.problem(with_request(takes_request), "app") is None


# --- what is none ---


class Asgi:
    async def __call__(self, scope, receive, send):
        pass


class OldAsgi:
    def __init__(self, scope):
        pass

    async def __call__(self, receive, send):
        pass


class Compiled:
    """As a compiler of Python leaves it: no flag says that it is a coroutine function."""

    def __call__(self, scope, receive, send):
        return asgi(scope, receive, send)


def passed_on(function):
    @functools.wraps(function)
    def wrapper(*arguments, **keywords):
        return function(*arguments, **keywords)

    return wrapper


@pytest.mark.parametrize(
    ("application", "sign"),
    [
        (asgi, "a coroutine function of scope, receive, send"),
        (functools.partial(third, 1, 2), None),
        (passed_on(asgi), "a coroutine function of scope, receive, send"),
        (passed_on(passed_on(asgi)), "a coroutine function of scope, receive, send"),
        (Asgi(), "Asgi objects are called as a coroutine function of scope, receive, send"),
        (Compiled(), "Compiled objects are called as a function of scope, receive, send"),
    ],
)
def test_asgi_applications_are_told_by_their_signature(application, sign):
    problem = interface.problem(application, "blog:app")
    if sign is None:
        assert "takes 1 argument (start_response)" in problem
    else:
        assert problem == (
            f'"blog:app" is an ASGI application: {sign}; pycgid runs WSGI applications; name the'
            " project's WSGI application, or wrap this one, as a2wsgi.ASGIMiddleware does"
        )


def test_asgi_behind_a_partial():
    async def with_site(site, scope, receive, send):
        pass

    problem = interface.problem(functools.partial(with_site, "site"), "a:b")
    assert "ASGI application: a coroutine function of scope, receive, send" in problem


@pytest.mark.parametrize("framework", ["django", "starlette.applications", "asgiref.wsgi"])
def test_asgi_applications_of_frameworks(framework):
    pytest.importorskip(framework)
    if framework == "django":
        handler = importlib.import_module("django.core.handlers.asgi").ASGIHandler
        problem = interface.problem(handler.__new__(handler), "a:b")
        assert "is an ASGI application" in problem and "get_wsgi_application()" in problem
    elif framework == "asgiref.wsgi":
        adapter = importlib.import_module(framework).WsgiToAsgi(plain)
        assert "is an ASGI application" in interface.problem(adapter, "a:b")
    else:
        starlette = importlib.import_module(framework).Starlette()
        assert "is an ASGI application" in interface.problem(starlette, "a:b")


def coroutine_of_two():
    async def two(environ, start_response):
        pass

    return two


def async_generator():
    async def blocks(environ, start_response):
        yield b""

    return blocks


@pytest.mark.parametrize("make", [coroutine_of_two, async_generator])
def test_a_coroutine_function_of_any_arguments_is_refused(make):
    assert '"a:b" is a coroutine function' in interface.problem(make(), "a:b")


def create_app(config=None, testing=False):
    return plain


def application_factory(config=None, testing=False):
    return plain


@pytest.mark.parametrize(
    "factory",
    [
        lambda: plain,
        lambda config=None: plain,
        lambda **keywords: plain,
        create_app,
        application_factory,
    ],
)
def test_a_factory_is_told_to_be_called(factory):
    problem = interface.problem(factory, "blog:create_app")
    assert 'without arguments; use "blog:create_app()"' in problem


def main(global_config, **settings):
    return plain


def keyword_only(environ, start_response, *, site):
    return []


@pytest.mark.parametrize(
    ("function", "takes"),
    [
        (main, "1 argument (global_config)"),
        (takes_request, "1 argument (request)"),
        (third, "3 arguments (site, environ, start_response)"),
        (keyword_only, "the keyword site"),
        (functools.partial(plain, start_response=None), "1 argument (environ)"),
    ],
)
def test_wrong_arguments_are_shown(function, takes):
    assert f"it takes {takes} and not (environ, start_response)" in interface.problem(
        function, "blog:f"
    )


class NotIterable:
    """As Flask: two arguments would do to make one."""

    def __init__(self, import_name, static_url_path=None):
        pass

    def __call__(self, environ, start_response):
        return []


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        (Site, 'use "blog:C()"'),
        (NotIterable, 'use "blog:C(...)"'),
        (OldAsgi, 'use "blog:C(...)"'),
        (types.SimpleNamespace, None),
    ],
)
def test_classes_of_applications_are_told_to_be_called(kind, advice):
    problem = interface.problem(kind, "blog:C")
    assert problem is None if advice is None else "is a class" in problem and advice in problem


def test_nothing_but_the_usual_is_imported_into_applications():
    """Each of them costs every worker memory and time."""
    words = "import re, functools, types, sys, traceback; before = set(sys.modules); "
    words += "sys.path.insert(0, sys.argv[1]); import interface, application_name, exception_text; "
    words += "print(sorted(set(sys.modules) - before))"
    shown = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", words, scripts.DIRECTORY],
        capture_output=True,
        check=True,
    )
    assert shown.stdout == b"['application_name', 'exception_text', 'interface']\n"
