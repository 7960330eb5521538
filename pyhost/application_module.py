"""The module `pycgid` that an application may import: what pycgid(8) offers to it. Used by boot.py, in
the worker's main thread, before the application is loaded."""

import types

__version__ = "@PROJECT_VERSION@"


def log_handler(host):
    import logging  # for those who ask: it takes a worker some milliseconds to load

    class LogHandler(logging.Handler):
        """Writes records to the log of pycgid(8): the level is the record's own, the request is the one
        that the thread runs, and a record of several lines stays one entry."""

        def emit(self, record):
            try:
                text = self.format(record)
                host.log_record(record.levelno, text.encode("utf-8", "backslashreplace"))
            except RecursionError:
                raise
            except Exception:
                self.handleError(record)

    LogHandler.__module__ = "pycgid"
    LogHandler.__qualname__ = "LogHandler"
    return LogHandler


def make(host, version):
    module = types.ModuleType("pycgid", "What pycgid(8) offers to the applications it runs.")
    module.ClientGone = host.ClientGone
    module.RequestTimeout = host.RequestTimeout
    module.stopping = host.stopping
    module.__version__ = version

    def on_demand(name):
        if name != "LogHandler":
            raise AttributeError(f"module 'pycgid' has no attribute {name!r}")
        module.LogHandler = log_handler(host)
        return module.LogHandler

    module.__getattr__ = on_demand
    return module
