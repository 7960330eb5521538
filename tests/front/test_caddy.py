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
