"""Django behind nginx: ORM on SQLite, the administration with its login, sessions, uploads, static
files. Each page is judged by its content."""

import hashlib
import json
import os
import re
import subprocess
import urllib.parse

import django
import pytest
import servers
from backend import Backend
from harness.daemon import APPS, environment
from http_client import Browser, Client, fetch

SITE = os.path.join(APPS, "django_site")
WORKER_LINES = r" \S+/\d+\[\d+\]: "
SNIPPET = os.path.join(os.path.dirname(__file__), "../../contrib/nginx-fastcgi.conf")
# What Debian's fastcgi_params have at their end since nginx 1.26.3: the host without the port.
NO_PORT = "fastcgi_param HTTP_HOST $host;"
LINES = {
    "fastcgi": "include /etc/nginx/fastcgi_params; fastcgi_pass unix:{path};",
    "scgi": "include /etc/nginx/scgi_params; scgi_pass unix:{path};",
}


def manage(data, *arguments):
    subprocess.run(
        ["/usr/bin/python3", "manage.py", *arguments],
        cwd=SITE,
        env=environment(DATA=str(data), DJANGO_SUPERUSER_PASSWORD="secret"),
        stdout=subprocess.DEVNULL,
        check=True,
    )


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    data = tmp_path_factory.mktemp("django")
    manage(data, "migrate", "--run-syncdb")
    manage(data, "createsuperuser", "--noinput", "--username", "root", "--email", "r@localhost")
    options = ("--env", f"DATA={data}")
    with Backend("site_project.wsgi", *options, chdir=SITE, processes=2) as backend:
        yield backend


@pytest.fixture(scope="module", params=["fastcgi", "scgi"])
def port(request, daemon):
    lines = LINES[request.param].replace("{path}", getattr(daemon, request.param))
    with servers.nginx({"/": lines}) as server:
        yield server.port


@pytest.fixture
def browser(port):
    return Browser(port)


def log_in(browser):
    browser.open("/admin/")
    form = {
        "csrfmiddlewaretoken": browser.hidden("csrfmiddlewaretoken"),
        "username": "root",
        "password": "secret",
        "next": "/admin/",
    }
    return browser.open("/admin/login/?next=/admin/", form)


def test_orm_and_forms(browser):
    browser.open("/")
    assert "<title>Notes</title>" in browser.text
    token = browser.hidden("csrfmiddlewaretoken")
    browser.open("/add", {"csrfmiddlewaretoken": token, "text": "caf\u00e9 & <tea>"})
    assert browser.url.endswith("/")
    assert "<li>caf\u00e9 &amp; &lt;tea&gt;</li>" in browser.text


def test_csrf_protection(browser):
    assert browser.open("/add", {"text": "forged"}).status == 403
    assert "forged" not in browser.open("/").text


def test_admin_login_and_work(browser):
    browser.open("/admin/")
    assert "/admin/login/" in browser.url and "Log in" in browser.text
    log_in(browser)
    assert "Site administration" in browser.text and "Notes" in browser.text
    browser.open("/admin/notes/note/add/")
    form = {
        "csrfmiddlewaretoken": browser.hidden("csrfmiddlewaretoken"),
        "text": "written in the administration",
        "_save": "Save",
    }
    browser.open("/admin/notes/note/add/", form)
    assert "was added successfully" in browser.text
    assert "written in the administration" in browser.text


def test_admin_refuses_a_wrong_password(browser):
    browser.open("/admin/login/")
    token = browser.hidden("csrfmiddlewaretoken")
    form = {"csrfmiddlewaretoken": token, "username": "root", "password": "wrong"}
    assert "Please enter the correct username" in browser.open("/admin/login/", form).text


def test_sessions(browser, port):
    for number in (1, 2, 3):
        assert browser.open("/visits").text == f"visit {number}"
    assert Browser(port).open("/visits").text == "visit 1"


@pytest.mark.parametrize("size", [10, 100_000, 5_000_000])
def test_upload_and_download(browser, size):
    content = os.urandom(size)
    token = browser.open("/").hidden("csrfmiddlewaretoken")
    browser.upload("/upload", "file", "a file.bin", content, csrfmiddlewaretoken=token)
    name, length, checksum = browser.text.rsplit(" ", 2)
    assert (int(length), checksum) == (size, hashlib.sha256(content).hexdigest())
    assert browser.open("/media/" + urllib.parse.quote(name)).body == content
    assert browser.headers["Content-Length"] == str(size)


def test_static_files(port):
    answer = fetch(port, "/static/admin/css/base.css")
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/css")
    assert b"DJANGO Admin styles" in answer.body
    again = {"If-Modified-Since": answer.headers["Last-Modified"]}
    assert fetch(port, "/static/admin/css/base.css", headers=again).status == 304


def test_streaming(browser):
    assert browser.open("/report").text == "".join(f"line {n}\n" for n in range(1000))


def test_missing_pages(browser):
    assert browser.open("/no-such-page").status == 404
    assert "Not Found" in browser.text


def test_failing_pages_are_djangos(browser, daemon):
    daemon.expect(WORKER_LINES)
    assert browser.open("/broken").status == 500
    assert "Server Error" in browser.text and "on purpose" not in browser.text
    daemon.wait_line("RuntimeError: this page fails on purpose")


def post_like_a_browser(port):
    """A form with the Origin of its page, which Django compares with the host; the status."""
    with Client(port) as client:
        page = client.request("/", headers={"Host": f"127.0.0.1:{port}"})
        token = re.search(rb'csrfmiddlewaretoken" value="([^"]*)"', page.body).group(1).decode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": page.headers["Set-Cookie"].partition(";")[0],
            "Origin": f"http://127.0.0.1:{port}",
        }
        form = f"csrfmiddlewaretoken={token}&text=posted"
        return client.request("/add", "POST", form, headers).status


def line_of_the_snippet():
    with open(SNIPPET, encoding="utf-8") as file:
        return re.search("# (fastcgi_param HTTP_HOST .*;)", file.read()).group(1)


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    """The stock parameters, without what they may say of the host."""
    path = tmp_path_factory.mktemp("nginx") / "params"
    with open("/etc/nginx/fastcgi_params", encoding="utf-8") as file:
        path.write_text(re.sub("(?m)^fastcgi_param +HTTP_HOST .*$", "", file.read()))
    return path


CHECKS_ORIGIN = django.VERSION >= (4, 0)
HOSTS = {
    "as_sent": ("", True),
    "without_the_port": (NO_PORT, False),
    "mended": (NO_PORT + line_of_the_snippet(), True),
}


@pytest.mark.parametrize("case", HOSTS)
def test_a_form_on_a_port_of_its_own(daemon, stock, case):
    """The daemon takes the last of several HTTP_HOST; the line of contrib/ is behind the others."""
    lines, has_port = HOSTS[case]
    passing = f"include {stock}; {lines} fastcgi_pass unix:"
    with Backend("mirror") as mirror:
        locations = {"/": passing + f"{daemon.fastcgi};", "/mirror": passing + f"{mirror.fastcgi};"}
        with servers.nginx(locations) as server:
            host = json.loads(fetch(server.port, "/mirror").body)["HTTP_HOST"]
            assert host == (f"127.0.0.1:{server.port}" if has_port else "127.0.0.1")
            refused = CHECKS_ORIGIN and not has_port
            assert post_like_a_browser(server.port) == (403 if refused else 302)
