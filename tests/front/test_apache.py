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


class SplitByApache(PathBehaviour):
    """With proxy-fcgi-pathinfo or proxy-scgi-pathinfo Apache splits the path itself. For /app it
    sends a PATH_INFO of "/" then."""

    bare_mount = "/"
    scheme = "fastcgi"
    variable = ""

    @classmethod
    def serve(cls, root, mounted):
        split = f"SetEnvIf Request_URI . {cls.variable}\n"
        return servers.apache(split + proxy(cls.scheme, root, mounted))


class TestFastcgiDecodedPathInfo(SplitByApache):
    variable = "proxy-fcgi-pathinfo=unescape"


class TestFastcgiEncodedPathInfo(SplitByApache):
    """The escapes stay in PATH_INFO."""

    variable = "proxy-fcgi-pathinfo=1"


class TestScgiEncodedPathInfo(SplitByApache):
    scheme = "scgi"
    variable = "proxy-scgi-pathinfo=1"
