"""nginx with its stock parameter files and nothing else."""

import servers
from behaviour import FrontBehaviour

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
