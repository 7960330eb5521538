"""Caddy, which writes a whole request before it reads any of the answer."""

import servers
from behaviour import FrontBehaviour, PathBehaviour


def handle(matcher, path):
    return f"""{matcher} {{
        reverse_proxy unix/{path} {{
            transport fastcgi
            flush_interval -1
        }}
    }}
    """


class TestFastcgi(FrontBehaviour):
    # From 2.9 on it passes no body without a length to FastCGI but a small one (contrib/Caddyfile).
    chunked = 411 if servers.version("caddy", "version") >= (2, 9) else 200

    @staticmethod
    def serve(root, mounted):
        places = [("handle /app*", mounted.fastcgi), ("handle", root.fastcgi)]
        return servers.caddy("".join(handle(*place) for place in places))


class TestStrippedPrefix(PathBehaviour):
    """handle_path takes the prefix away before the daemon sees the path."""

    @staticmethod
    def serve(root, mounted):
        places = [("handle_path /app*", mounted.fastcgi), ("handle", root.fastcgi)]
        return servers.caddy("".join(handle(*place) for place in places))
