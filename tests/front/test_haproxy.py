"""HAProxy, which keeps connections, may multiplex, and asks for values."""

import servers
from behaviour import FrontBehaviour, PathBehaviour


class HaproxyBehaviour(FrontBehaviour):
    options = ()
    chunked = 400  # HAProxy's own answer to a chunked body above its buffer.

    @classmethod
    def serve(cls, root, mounted):
        return servers.haproxy(root.fastcgi, mounted.fastcgi, cls.options)


class TestKept(HaproxyBehaviour):
    """As HAProxy is without any option."""


class TestMultiplexed(HaproxyBehaviour):
    options = ("option mpxs-conns", "option max-reqs 20")


class TestValues(HaproxyBehaviour):
    """It asks before its first request, and works only when it is answered."""

    options = ("option get-values", "option max-reqs 20", "option mpxs-conns")


class TestNotKept(HaproxyBehaviour):
    options = ("no option keep-conn",)


class PathsAlone(PathBehaviour):
    options = ()

    @classmethod
    def serve(cls, root, mounted):
        return servers.haproxy(root.fastcgi, mounted.fastcgi, cls.options)


class TestIndex(PathsAlone):
    options = ("index index.php",)


class TestPathInfo(PathsAlone):
    options = (r"path-info ^()(/.*)$",)
