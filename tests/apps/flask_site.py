"""A small Flask application: a guest book with sessions, files, an API and error pages."""

import hashlib
import io

from flask import (
    Flask, abort, flash, jsonify, redirect, render_template_string, request, send_file, session,
    url_for,
)  # fmt: skip

application = Flask(__name__)
application.secret_key = "for tests alone"
PAGE = """<!DOCTYPE html>
<title>Guest book</title>
{% for message in get_flashed_messages() %}<p>{{ message }}</p>{% endfor %}
<h1>Hello {{ name }}</h1>"""


@application.get("/")
def index():
    return render_template_string(PAGE, name=session.get("name", "stranger"))


@application.post("/sign")
def sign():
    session["name"] = request.form["name"]
    flash("Thank you")
    return redirect(url_for("index"))


@application.post("/upload")
def upload():
    file = request.files["file"]
    content = file.read()
    checksum = hashlib.sha256(content).hexdigest()
    return {"name": file.filename, "size": len(content), "sha256": checksum}


@application.get("/download/<int:size>")
def download(size):
    return send_file(io.BytesIO(b"x" * size), mimetype="application/octet-stream")


@application.get("/source")
def source():
    """A real file, by wsgi.file_wrapper, with an ETag for conditional requests."""
    return send_file(__file__, mimetype="text/x-python")


@application.post("/api/sum")
def api_sum():
    return jsonify(sum=sum(request.get_json()))


@application.get("/item/<name>")
def item(name):
    return {"name": name, "query": request.args.get("q")}


@application.get("/secret")
def secret():
    abort(403, "not for you")


@application.get("/stream")
def stream():
    lines = (f"{number}\n" for number in range(1000))
    return application.response_class(lines, mimetype="text/plain")


@application.get("/broken")
def broken():
    raise RuntimeError("this page fails on purpose")
