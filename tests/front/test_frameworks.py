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


@pytest.fixture(scope="module", params=["flask", "pyramid", "bottle"])
def site(request):
    """The framework's name, its daemon, and nginx before it."""
    with Backend(request.param + "_site") as daemon:
        with servers.nginx({"/": STOCK + daemon.fastcgi + ";"}) as server:
            yield request.param, daemon, server.port


@pytest.fixture
def browser(site):
    return Browser(site[2])


def only(site, *names):
    if site[0] not in names:
        pytest.skip("another framework's page")


def test_a_page_a_form_and_a_session(site, browser):
    assert "<h1>Hello stranger</h1>" in browser.open("/").text
    # nginx's stock parameters of Debian name the host without its port, so that an absolute
    # Location would lead elsewhere: the redirect is looked at, not followed.
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = fetch(site[2], "/sign", "POST", b"name=Alice", form)
    assert answer.status in (302, 303) and answer.headers["Location"].endswith("/")
    cookie = answer.headers["Set-Cookie"].split(";")[0]
    page = fetch(site[2], "/", headers={"Cookie": cookie})
    assert b"<h1>Hello Alice</h1>" in page.body
    assert "<h1>Hello stranger</h1>" in browser.open("/").text


def test_flash_messages_of_flask(site, browser):
    only(site, "flask")
    browser.open("/sign", {"name": "Bob <b>"})
    assert "<p>Thank you</p>" in browser.text and "<h1>Hello Bob &lt;b&gt;</h1>" in browser.text
    assert "Thank you" not in browser.open("/").text


@pytest.mark.parametrize("size", [1, 70_000, 3_000_000])
def test_upload(site, browser, size):
    content = os.urandom(size)
    browser.upload("/upload", "file", "file.bin", content)
    checksum = hashlib.sha256(content).hexdigest()
    if site[0] == "flask":
        assert browser.text == f"file.bin {size} {checksum}"
    else:
        expected = {"name": "file.bin", "size": size, "sha256": checksum}
        assert json.loads(browser.text) == expected


def test_files(site, browser):
    path = {"flask": "/source", "pyramid": "/source", "bottle": "/static/bottle_site.py"}[site[0]]
    with open(os.path.join(APPS, site[0] + "_site.py"), "rb") as file:
        expected = file.read()
    assert browser.open(path).body == expected
    assert browser.headers["Content-Length"] == str(len(expected))
    changed = {"If-Modified-Since": browser.headers["Last-Modified"]}
    assert fetch(site[2], path, "HEAD").body == b""
    if site[0] != "flask":
        assert fetch(site[2], path, headers=changed).status == 304


def test_conditional_requests_of_flask(site):
    only(site, "flask")
    tag = fetch(site[2], "/source").headers["ETag"]
    answer = fetch(site[2], "/source", headers={"If-None-Match": tag})
    assert (answer.status, answer.body) == (304, b"")


def test_static_view_of_pyramid(site, browser):
    only(site, "pyramid")
    assert "A small Flask application" in browser.open("/static/flask_site.py").text


def test_urls_and_queries(site, browser):
    prefix = "/user" if site[0] == "flask" else "/item"
    shown = json.loads(browser.open(prefix + "/J%C3%BCrgen%20X?q=%E2%82%AC").text)
    assert shown["name"] == "J\u00fcrgen X" and shown["query"] == "\u20ac"


def test_json_of_flask(site):
    only(site, "flask")
    kind = {"Content-Type": "application/json"}
    answer = fetch(site[2], "/api/sum", "POST", json.dumps([1, 2, 39]).encode(), kind)
    assert json.loads(answer.body) == {"sum": 42}


def test_streaming(site, browser):
    only(site, "flask", "bottle")
    assert browser.open("/stream").text == "".join(f"{number}\n" for number in range(1000))


def test_in_memory_downloads_of_flask(site, browser):
    only(site, "flask")
    assert browser.open("/download/2000000").body == b"x" * 2_000_000


def test_missing_pages(site, browser):
    assert browser.open("/no-such-page").status == 404


def test_forbidden_pages_of_flask(site, browser):
    only(site, "flask")
    assert browser.open("/secret").status == 403 and "not for you" in browser.text


def test_failing_pages(site, browser):
    """Flask and Bottle catch the exception themselves; Pyramid leaves it to the server."""
    site[1].expect(WORKER_LINES)
    assert browser.open("/broken").status == 500
    assert "Traceback" not in browser.text
    site[1].wait_line("RuntimeError: this page fails on purpose")
