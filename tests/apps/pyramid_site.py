"""A small Pyramid application: routes, a JSON renderer, signed sessions, static files, uploads."""

import hashlib
import os

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.response import FileResponse, Response
from pyramid.session import SignedCookieSessionFactory


def index(request):
    return Response(f"<h1>Hello {request.session.get('name', 'stranger')}</h1>")


def sign(request):
    request.session["name"] = request.POST["name"]
    return HTTPFound(location=request.route_path("index"))


def upload(request):
    field = request.POST["file"]
    content = field.file.read()
    return {
        "name": field.filename,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def item(request):
    return {"name": request.matchdict["name"], "query": request.GET.get("q")}


def source(request):
    return FileResponse(__file__, request=request, content_type="text/x-python")


def broken(_):
    raise RuntimeError("this page fails on purpose")


def make_application():
    config = Configurator()
    config.set_session_factory(SignedCookieSessionFactory("for tests alone"))
    config.add_static_view("static", os.path.dirname(os.path.abspath(__file__)))
    pages = {
        index: ("/", None), sign: ("/sign", None), upload: ("/upload", "json"),
        item: ("/item/{name}", "json"), source: ("/source", None), broken: ("/broken", None),
    }  # fmt: skip
    for view, (pattern, renderer) in pages.items():
        config.add_route(view.__name__, pattern)
        config.add_view(view, route_name=view.__name__, renderer=renderer)
    return config.make_wsgi_app()


application = make_application()
