"""nginx with its stock parameter files and nothing else."""

import json

import pytest
import servers
from backend import Backend
from behaviour import FrontBehaviour, PathBehaviour
from harness import tls
from http_client import fetch

FASTCGI = "include /etc/nginx/fastcgi_params; fastcgi_pass"
SCGI = "include /etc/nginx/scgi_params; scgi_pass"


class TestFastcgi(FrontBehaviour):
    @staticmethod
    def serve(root, mounted):
        return servers.nginx(
            {"/": f"{FASTCGI} unix:{root.fastcgi};", "/app": f"{FASTCGI} unix:{mounted.fastcgi};"}
        )


class TestFastcgiOverTcp(FrontBehaviour):
    @staticmethod
    def serve(root, mounted):
        return servers.nginx(
            {
                "/": f"{FASTCGI} 127.0.0.1:{root.fastcgi_port};",
                "/app": f"{FASTCGI} 127.0.0.1:{mounted.fastcgi_port};",
            }
        )


class TestFastcgiKept(FrontBehaviour):
    @staticmethod
    def serve(root, mounted):
        upstreams = (
            f"upstream root {{ server unix:{root.fastcgi}; keepalive 4; }}"
            f"upstream mounted {{ server unix:{mounted.fastcgi}; keepalive 4; }}"
        )
        kept = "fastcgi_keep_conn on;"
        locations = {"/": f"{FASTCGI} root; {kept}", "/app": f"{FASTCGI} mounted; {kept}"}
        return servers.nginx(locations, upstreams)


class TestFastcgiUnbuffered(FrontBehaviour):
    """Bodies as they come, and chunked ones without a length."""

    @staticmethod
    def serve(root, mounted):
        lines = "fastcgi_request_buffering off; fastcgi_buffering off;"
        return servers.nginx(
            {
                "/": f"{FASTCGI} unix:{root.fastcgi}; {lines}",
                "/app": f"{FASTCGI} unix:{mounted.fastcgi}; {lines}",
            }
        )


class TestScgi(FrontBehaviour):
    @staticmethod
    def serve(root, mounted):
        return servers.nginx(
            {"/": f"{SCGI} unix:{root.scgi};", "/app": f"{SCGI} unix:{mounted.scgi};"}
        )


class TestIndex(PathBehaviour):
    """fastcgi_index adds a name to a path that ends in a slash, and the name goes again."""

    @staticmethod
    def serve(root, mounted):
        index = "fastcgi_index index.py;"
        return servers.nginx(
            {
                "/": f"{index} {FASTCGI} unix:{root.fastcgi};",
                "/app": f"{index} {FASTCGI} unix:{mounted.fastcgi};",
            }
        )


@pytest.mark.parametrize("protocol", ["fastcgi", "scgi"])
def test_what_a_rewrite_makes_of_a_path_stays(protocol):
    """Also where it looks like an index: a name behind the slash that was asked for."""
    with Backend("mirror") as backend:
        passing = {"fastcgi": FASTCGI, "scgi": SCGI}[protocol]
        lines = f"rewrite ^/$ /env break; {passing} unix:{getattr(backend, protocol)};"
        with servers.nginx({"/": lines}) as server:
            shown = json.loads(fetch(server.port, "/").body)
            assert (shown["SCRIPT_NAME"], shown["PATH_INFO"]) == ("", "/env")
            assert shown["SERVER_SOFTWARE"] and shown["GATEWAY_INTERFACE"] == "CGI/1.1"


WRAPPER = """
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
stream {
    # Without it an answer is lost that comes while the body is still sent.
    proxy_half_close on;
    proxy_ssl on;
    proxy_ssl_verify on;
    proxy_ssl_name localhost;
    proxy_ssl_trusted_certificate AUTHORITY;
    proxy_ssl_certificate CERTIFICATE;
    proxy_ssl_certificate_key KEY;
    server { listen unix:{directory}/root; proxy_pass 127.0.0.1:ROOT; }
    server { listen unix:{directory}/mounted; proxy_pass 127.0.0.1:MOUNTED; }
}
"""


class TestFastcgiByTls(FrontBehaviour):
    """By TLS with certificates for both sides, which nginx can only do with its module stream."""

    protocol, port_name = FASTCGI, "tls_port"

    @pytest.fixture(scope="class")
    def doors(self, tmp_path_factory):
        authority = tls.Authority(tmp_path_factory.mktemp("tls"))
        front, own = authority.issue("front"), authority.issue("localhost")
        main = WRAPPER.replace("AUTHORITY", authority.path).replace("KEY", front.key)
        type(self).main = main.replace("CERTIFICATE", front.certificate)
        return {"identity": own, "client_ca": authority.path}

    @classmethod
    def serve(cls, root, mounted):
        main = cls.main.replace("ROOT", str(getattr(root, cls.port_name)))
        main = main.replace("MOUNTED", str(getattr(mounted, cls.port_name)))
        locations = {
            "/": f"{cls.protocol} unix:{{directory}}/root;",
            "/app": f"{cls.protocol} unix:{{directory}}/mounted;",
        }
        return servers.nginx(locations, main=main)


class TestScgiByTls(TestFastcgiByTls):
    protocol, port_name = SCGI, "tls_scgi_port"
