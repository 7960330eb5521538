"""The module `pycgid` that an application may import: what pycgid(8) offers to it. Used by boot.py, in
the worker's main thread, before the application is loaded."""

import types

__version__ = "@PROJECT_VERSION@"


def make(host, version):
    module = types.ModuleType("pycgid", "What pycgid(8) offers to the applications it runs.")
    module.ClientGone = host.ClientGone
    module.RequestTimeout = host.RequestTimeout
    module.__version__ = version
    return module
