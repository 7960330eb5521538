"""Apache: mod_proxy_fcgi and mod_proxy_scgi."""

import servers
from behaviour import FrontBehaviour, PathBehaviour


def proxy(scheme, root, mounted, more=""):
    """The two ProxyPass lines; the longer prefix first."""
    ports = [getattr(each, f"{scheme}_port") for each in (mounted, root)]
    name = {"fastcgi": "fcgi", "scgi": "scgi"}[scheme]
    return (
        f'ProxyPass "/app" "{name}://127.0.0.1:{ports[0]}" {more}\n'
        f'ProxyPass "/" "{name}://127.0.0.1:{ports[1]}/" {more}\n'
    )


class TestFastcgi(FrontBehaviour):
    keeps_length = False

    @staticmethod
    def serve(root, mounted):
        return servers.apache(proxy("fastcgi", root, mounted, "flushpackets=on"))


class TestFastcgiKept(FrontBehaviour):
    keeps_length = False

    @staticmethod
    def serve(root, mounted):
        return servers.apache(proxy("fastcgi", root, mounted, "enablereuse=on flushpackets=on"))


class TestScgi(FrontBehaviour):
    chunked = 411
    keeps_length = False

    @staticmethod
    def serve(root, mounted):
        return servers.apache(proxy("scgi", root, mounted, "flushpackets=on"))


class TestFastcgiPathInfo(PathBehaviour):
    """Apache splits the path itself, and decodes it."""

    @staticmethod
    def serve(root, mounted):
        split = "SetEnvIf Request_URI . proxy-fcgi-pathinfo=unescape\n"
        return servers.apache(split + proxy("fastcgi", root, mounted))


class TestFastcgiEncodedPathInfo(PathBehaviour):
    """Likewise, and leaves the escapes in PATH_INFO."""

    @staticmethod
    def serve(root, mounted):
        split = "SetEnvIf Request_URI . proxy-fcgi-pathinfo=1\n"
        return servers.apache(split + proxy("fastcgi", root, mounted))


class TestScgiPathInfo(PathBehaviour):
    @staticmethod
    def serve(root, mounted):
        split = "SetEnvIf Request_URI . proxy-scgi-pathinfo=1\n"
        return servers.apache(split + proxy("scgi", root, mounted))
