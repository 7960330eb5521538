"""A small Bottle application: routes, templates, cookies, static files, uploads."""

import hashlib
import os

import bottle

application = bottle.Bottle()
HERE = os.path.dirname(os.path.abspath(__file__))
SECRET = "for tests alone"


@application.get("/")
def index():
    name = bottle.request.get_cookie("name", secret=SECRET) or "stranger"
    return bottle.template("<h1>Hello {{name}}</h1>", name=name)


@application.post("/sign")
def sign():
    bottle.response.set_cookie("name", bottle.request.forms.name, secret=SECRET)
    bottle.redirect("/")


@application.post("/upload")
def upload():
    file = bottle.request.files.get("file")
    content = file.file.read()
    return {
        "name": file.raw_filename,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


@application.get("/item/<name>")
def item(name):
    return {"name": name, "query": bottle.request.query.q}


@application.get("/static/<name>")
def static(name):
    """A real file, by wsgi.file_wrapper."""
    return bottle.static_file(name, root=HERE)


@application.get("/stream")
def stream():
    bottle.response.content_type = "text/plain"
    return (f"{number}\n" for number in range(1000))


@application.get("/broken")
def broken():
    raise RuntimeError("this page fails on purpose")
