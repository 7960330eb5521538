"""Flask, Pyramid and Bottle behind nginx, each page judged by its content."""

import hashlib
import json
import os

import pytest
import servers
from backend import Backend
from harness.daemon import APPS
from http_client import Browser, fetch

WORKER_LINES = r" \S+/\d+\[\d+\]: "
STOCK = "include /etc/nginx/fastcgi_params; fastcgi_pass unix:"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class FrameworkBehaviour:
    """What the three applications have in common."""

    app = ""
    item = "/item/"  # A page that shows its name and its query.
    file = ""  # A page that sends the application's own source.

    @pytest.fixture(scope="class")
    def daemon(self):
        with Backend(self.app) as running:
            yield running

    @pytest.fixture(scope="class")
    def port(self, daemon):
        with servers.nginx({"/": STOCK + daemon.fastcgi + ";"}) as server:
            yield server.port

    @pytest.fixture
    def browser(self, port):
        return Browser(port)

    def test_a_page_a_form_and_a_session(self, port):
        """nginx's stock parameters of Debian name the host without its port, so that an absolute
        Location would lead elsewhere: the redirect is looked at, not followed."""
        assert b"<h1>Hello stranger</h1>" in fetch(port, "/").body
        answer = fetch(port, "/sign", "POST", b"name=Alice", FORM)
        assert answer.status in (302, 303) and answer.headers["Location"].endswith("/")
        cookie = {"Cookie": answer.headers["Set-Cookie"].split(";")[0]}
        assert b"<h1>Hello Alice</h1>" in fetch(port, "/", headers=cookie).body
        assert b"<h1>Hello stranger</h1>" in fetch(port, "/").body

    @pytest.mark.parametrize("size", [1, 70_000, 3_000_000])
    def test_upload(self, browser, size):
        content = os.urandom(size)
        browser.upload("/upload", "file", "file.bin", content)
        checksum = hashlib.sha256(content).hexdigest()
        assert json.loads(browser.text) == {"name": "file.bin", "size": size, "sha256": checksum}

    def test_a_file(self, browser, port):
        with open(os.path.join(APPS, self.app + ".py"), "rb") as file:
            expected = file.read()
        assert browser.open(self.file).body == expected
        assert browser.headers["Content-Length"] == str(len(expected))
        head = fetch(port, self.file, "HEAD")
        assert head.body == b"" and head.headers["Content-Length"] == str(len(expected))

    def test_urls_and_queries(self, browser):
        shown = json.loads(browser.open(self.item + "J%C3%BCrgen%20X?q=%E2%82%AC").text)
        assert shown == {"name": "J\u00fcrgen X", "query": "\u20ac"}

    def test_missing_pages(self, browser):
        assert browser.open("/no-such-page").status == 404

    def test_failing_pages(self, browser, daemon):
        """Flask and Bottle catch the exception themselves; Pyramid leaves it to the server."""
        daemon.expect(WORKER_LINES)
        assert browser.open("/broken").status == 500
        assert "Traceback" not in browser.text
        daemon.wait_line("RuntimeError: this page fails on purpose")


class TestFlask(FrameworkBehaviour):
    app = "flask_site"
    file = "/source"

    def test_flash_messages(self, browser):
        browser.open("/sign", {"name": "Bob <b>"})
        assert "<p>Thank you</p>" in browser.text
        assert "<h1>Hello Bob &lt;b&gt;</h1>" in browser.text
        assert "Thank you" not in browser.open("/").text

    def test_conditional_requests(self, port):
        tag = {"If-None-Match": fetch(port, "/source").headers["ETag"]}
        answer = fetch(port, "/source", headers=tag)
        assert (answer.status, answer.body) == (304, b"")

    def test_json(self, port):
        kind = {"Content-Type": "application/json"}
        answer = fetch(port, "/api/sum", "POST", json.dumps([1, 2, 39]).encode(), kind)
        assert json.loads(answer.body) == {"sum": 42}

    def test_streaming(self, browser):
        assert browser.open("/stream").text == "".join(f"{number}\n" for number in range(1000))

    def test_downloads_from_memory(self, browser):
        assert browser.open("/download/2000000").body == b"x" * 2_000_000

    def test_forbidden_pages(self, browser):
        assert browser.open("/secret").status == 403 and "not for you" in browser.text


class TestPyramid(FrameworkBehaviour):
    app = "pyramid_site"
    file = "/source"

    def test_static_view(self, browser):
        assert "A small Flask application" in browser.open("/static/flask_site.py").text


class TestBottle(FrameworkBehaviour):
    app = "bottle_site"
    file = "/static/bottle_site.py"

    def test_conditional_requests(self, port):
        since = {"If-Modified-Since": fetch(port, self.file).headers["Last-Modified"]}
        answer = fetch(port, self.file, headers=since)
        assert (answer.status, answer.body) == (304, b"")

    def test_streaming(self, browser):
        assert browser.open("/stream").text == "".join(f"{number}\n" for number in range(1000))
