"""The application of Flask's own quickstart."""

from flask import Flask

application = Flask(__name__)


@application.get("/")
def hello_world():
    return "<p>Hello, World!</p>"
