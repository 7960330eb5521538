"""Option path-info = front: what front servers split themselves, taken as it was sent."""

import json

import pytest
import servers
from backend import Backend
from http_client import fetch
from test_nginx import FASTCGI


@pytest.fixture(scope="module")
def backend():
    with Backend("mirror", "--path-info", "front") as running:
        yield running


def nginx(backend):
    split = "fastcgi_split_path_info ^(/site/app)(/.*)$;"
    path = "fastcgi_param PATH_INFO $fastcgi_path_info;"
    return servers.nginx({"/site/app": f"{split} {FASTCGI} unix:{backend.fastcgi}; {path}"})


def lighttpd(backend):
    place = f'"socket" => "{backend.fastcgi}", "check-local" => "disable"'
    return servers.lighttpd(f'fastcgi.server = ("/site/app" => (({place})))\n')


def apache(backend):
    split = "SetEnvIf Request_URI . proxy-fcgi-pathinfo=unescape\n"
    return servers.apache(
        f'{split}ProxyPass "/site/app" "fcgi://127.0.0.1:{backend.fastcgi_port}"\n'
    )


def haproxy(backend):
    address = f"unix@{backend.fastcgi}"
    return servers.haproxy(address, address, (r"path-info ^(/site/app)(/.*)$",))


@pytest.mark.parametrize("front", [nginx, lighttpd, apache, haproxy], ids=lambda f: f.__name__)
def test_the_split_of_the_front_stays(front, backend):
    with front(backend) as server:
        shown = json.loads(fetch(server.port, "/site/app/b%20c?x=1").body)
        assert (shown["SCRIPT_NAME"], shown["PATH_INFO"]) == ("/site/app", "/b c")
