"""lighttpd, whose split of the path differs with the prefix and with an option."""

import servers
from behaviour import FrontBehaviour, PathBehaviour


def hosts(module, root, mounted, more=""):
    """The prefix "/" for one daemon, "/app" for the other."""
    places = ""
    for prefix, path in (("/app", mounted), ("/", root)):
        places += f'"{prefix}" => (("socket" => "{path}", "check-local" => "disable"{more})),\n'
    return f"{module}.server = (\n{places})\n"


class TestFastcgi(FrontBehaviour):
    @staticmethod
    def serve(root, mounted):
        return servers.lighttpd(hosts("fastcgi", root.fastcgi, mounted.fastcgi))


class TestScgi(FrontBehaviour):
    @staticmethod
    def serve(root, mounted):
        return servers.lighttpd(hosts("scgi", root.scgi, mounted.scgi))


class TestFixedRootScriptName(PathBehaviour):
    @staticmethod
    def serve(root, mounted):
        more = ', "fix-root-scriptname" => "enable"'
        return servers.lighttpd(hosts("fastcgi", root.fastcgi, mounted.fastcgi, more))
