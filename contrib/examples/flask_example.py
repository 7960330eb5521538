"""A Flask application: a page, and one that takes a name from the URL."""

import os

from flask import Flask, render_template_string

PAGE = """<!doctype html>
<title>Flask behind pycgid</title>
<h1>Hello from Flask, {{ name }}!</h1>
<p><a href="{{ url_for('greet', name='somebody') }}">Greet somebody</a></p>
<p>Process {{ pid }} answered {{ request.method }} {{ request.path }}.</p>
"""

application = Flask(__name__)


@application.get("/")
@application.get("/greet/<name>")
def greet(name="world"):
    return render_template_string(PAGE, name=name, pid=os.getpid())
