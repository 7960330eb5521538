"""The worker's main program: PYTHON boot.py key=value...

The master starts it with the application's own Python. It loads the module pycgid_host that was
built for this Python, imports the application, says on descriptor `status_fd` that it has `begun`, and
how that went (`ready`, or `error STATUS MESSAGE`, one line each), and answers the gateway's requests
until there are no more.

With `orders_fd` it becomes the template of option "preload" instead (template.py), and what is
forked from that goes on here.
"""

import contextlib
import faulthandler
import importlib.machinery
import importlib.util
import io
import os
import signal
import sys

__version__ = "@PROJECT_VERSION@"

WRONG_CONFIGURATION = 78  # EX_CONFIG: can never work as it is
MAY_WORK_LATER = 75  # EX_TEMPFAIL
SYSTEM_ERROR = 71  # EX_OSERR

TEXTS = {"app", "pool", "version", "libexec", "on_start"}
DESCRIPTORS = {"log_fd", "memory_fd", "bell_fd", "passing_fd", "status_fd", "orders_fd"}

# An upgrade has replaced the files of the daemon that still runs: it gives these as it knows them,
# by descriptors, as NAME=FD, and the directory as libexec.
REPLACED = (".py", ".so")


class Refused(Exception):
    """The worker cannot start: an exit status and one line for the administrator."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class LogPipe(io.RawIOBase):
    """What lies under sys.stdout and sys.stderr: whole lines go to the log, each marked with the
    request that its thread works on."""

    def __init__(self, host, fd, name):
        self._host = host
        self._fd = fd
        self.name = name
        self.mode = "wb"

    def writable(self):
        return True

    def fileno(self):
        return self._fd

    def write(self, data):
        return self._host.log_write(self._fd, data)

    def flush(self):
        self._host.log_flush(self._fd)

    def close(self):
        """An application that closes wsgi.errors does not end its log."""
        self.flush()


class LogText(io.TextIOWrapper):
    """sys.stdout, sys.stderr and wsgi.errors. Written through, because the lines are collected
    below, where threads are told apart."""

    def __init__(self, host, fd, name):
        self._pipe = LogPipe(host, fd, name)
        super().__init__(self._pipe, "utf-8", "backslashreplace", write_through=True)

    def detach(self):
        """Who wraps what is below does not take it away from the others."""
        self.flush()
        return self._pipe


class OwnFiles:
    """The scripts and the module that belong to this one: beside it, or given by the daemon."""

    def __init__(self, options):
        self._version = options["version"]
        self._fds = options["files"]
        self.directory = options.get("libexec") or os.path.dirname(os.path.abspath(__file__))
        for fd in self._fds.values():
            os.set_inheritable(fd, False)

    def check_version(self):
        """Before anything else: what the daemon says is to be understood by its own version."""
        if self._version != __version__:
            raise Refused(
                SYSTEM_ERROR,
                f'the installed files in "{self.directory}" are of pycgid {__version__}, and the'
                f" running daemon is pycgid {self._version}; restart it",
            )

    def load(self, name):
        """A script, as the module pycgid_NAME."""
        path = self._path(name + ".py")
        return self._load(importlib.machinery.SourceFileLoader(f"pycgid_{name}", path))

    def load_host(self):
        file = "pycgid_host" + importlib.machinery.EXTENSION_SUFFIXES[0]
        path = self._path(file)
        if not os.path.exists(path):
            raise Refused(WRONG_CONFIGURATION, self._no_host(file))
        return self._load(importlib.machinery.ExtensionFileLoader("pycgid_host", path))

    def close(self):
        for fd in self._fds.values():
            os.close(fd)

    def _path(self, name):
        if name in self._fds:
            return f"/proc/self/fd/{self._fds[name]}"
        return os.path.join(self.directory, name)

    def _load(self, loader):
        try:
            spec = importlib.util.spec_from_file_location(loader.name, loader.path, loader=loader)
            module = importlib.util.module_from_spec(spec)
            sys.modules[loader.name] = module
            loader.exec_module(module)
        except Exception as error:  # Whatever an incomplete file makes of it.
            raise Refused(SYSTEM_ERROR, f"cannot load {loader.path}: {error}") from None
        version = getattr(module, "__version__", "another version")
        if version != __version__:
            raise Refused(
                SYSTEM_ERROR,
                f'the files in "{self.directory}" are of different versions: {loader.path} is of'
                f" pycgid {version}, and boot.py of {__version__}; install all of them again",
            )
        return module

    def _no_host(self, file):
        option = "python" if sys.prefix == sys.base_prefix else "venv"
        names = self._fds or os.listdir(self.directory)
        present = [name.split(".")[1] for name in names if name.startswith("pycgid_host.")]
        return (
            f"no pycgid_host for Python {sys.version_info[0]}.{sys.version_info[1]}"
            f" ({file.split('.')[1]}) in {self.directory} (option \"{option}\");"
            f" there are: {', '.join(sorted(present)) or 'none'}; rebuild with PYCGID_PYTHONS"
        )


def main():
    options = parse(sys.argv[1:])
    for name in DESCRIPTORS.intersection(options):
        os.set_inheritable(options[name], False)
    # What ends before this is no Python.
    os.write(options["status_fd"], b"begun\n")
    try:
        run(options, OwnFiles(options))
    except Refused as refusal:
        report(options["status_fd"], f"error {refusal.status} {refusal}")
        # What the application put in their place might fail when it is flushed at exit.
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        sys.exit(refusal.status)


def parse(arguments):
    options = {"pythonpath": [], "files": {}}
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key == "pythonpath":
            options[key].append(value)
        elif key.endswith(REPLACED):
            options["files"][key] = int(value)
        else:
            # A daemon of another version may say what this one does not know.
            options[key] = int(value) if value.isdecimal() and key not in TEXTS else value
    return options


def report(status_fd, line):
    """Says how the start went, and that was all there is to say. In a forked worker `status_fd` is
    another one than in the template. What the application has put into its place stays untouched."""
    host = sys.modules.get("pycgid_host")
    if host and not host.is_ours(status_fd):
        print(line, file=sys.stderr)
        return
    try:
        os.write(status_fd, (" ".join(line.split("\n")) + "\n").encode(errors="backslashreplace"))
    except OSError:
        pass  # The master is gone; that ends the worker, too.
    os.close(status_fd)


def run(options, files):
    files.check_version()
    if wrong := files.load("diagnosis").problem():
        raise Refused(WRONG_CONFIGURATION, wrong)
    host = files.load_host()
    host.open_log(options["log_fd"])
    take_signals(host)
    warn_of_wrapper(host, options)
    leaving = files.load("leaving")
    sys.modules["pycgid"] = files.load("application_module").make(host, options["version"])
    sys.modules["pycgid"].at_exit = leaving.at_exit
    loader = load_loader(files)
    greenlets = files.load("greenlets")
    request_threads = files.load("request_threads")
    files.load("on_start")
    template = files.load("template") if "orders_fd" in options else None
    files.close()
    host.set_process_title(title(options))
    sys.stdout = sys.__stdout__ = LogText(host, 1, "<stdout>")
    sys.stderr = sys.__stderr__ = LogText(host, 2, "<stderr>")
    look_like_the_application(options)
    constants = environ_constants(host, options)
    set_number(options, constants)
    run_on_start(options)
    try:
        with stacks_when_late(options.get("start_timeout")):
            application = loader.load(
                options["app"], options["pythonpath"], lambda text: log(host, text)
            )
    except loader.NoApplication as error:
        raise Refused(WRONG_CONFIGURATION, error) from None
    except loader.CannotLoad as error:
        raise Refused(MAY_WORK_LATER, error) from None
    host.take_signals()
    if warning := greenlets.warning(options["threads"]):
        host.log_warning(warning)
    if template is not None and not become_worker(template, host, options, constants):
        return
    all_ended = serve(host, request_threads, leaving, application, constants, options)
    leaving.leave(host, options["cleanup_time"] / 1000, all_ended)


def warn_of_wrapper(host, options):
    """What the master starts is the leader of a session, and stays that through exec."""
    leader = os.getsid(0)
    if leader == os.getpid() or options.get("worker", 1) != 1:
        return
    option = "python" if sys.prefix == sys.base_prefix else "venv"
    host.log_warning(
        f"Python runs as a child of the program that was started, process {leader} (option"
        f' "{option}"): signals to the worker, and its memory limit, concern that program alone; a'
        ' wrapper must end with exec, as in: exec python3 "$@"'
    )


def look_like_the_application(options):
    sys.argv = [options["app"]]
    if not sys.flags.safe_path:
        del sys.path[0]  # the directory of this file
    # What multiprocessing spawns would run it first, to find what was pickled in it.
    del sys.modules["__main__"].__file__


def load_loader(files):
    for script in ("application_name", "exception_text", "interface"):
        files.load(script)
    loader = files.load("loader")
    loader.child_program = os.path.join(files.directory, "child.py")
    return loader


@contextlib.contextmanager
def stacks_when_late(milliseconds):
    """Shortly before the master's patience ends, the log is told where the application hangs: from a
    thread that needs nothing of Python's, so that it speaks whatever the main thread waits for."""
    if milliseconds is None:
        yield
        return
    faulthandler.dump_traceback_later(patience_with(milliseconds), file=2)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def patience_with(milliseconds):
    """In seconds; ends shortly before the master's own does."""
    patience = milliseconds / 1000
    return max(patience - min(1, patience / 5), 0.001)


def run_on_start(options):
    """Not in a template, which is no worker."""
    if "on_start" not in options or "worker" not in options:
        return
    on_start = sys.modules["pycgid_on_start"]
    limit = options.get("start_timeout")
    patience = None if limit is None else patience_with(limit)
    try:
        on_start.run(options["on_start"], options["pool"], options["worker"], patience)
    except on_start.Failed as error:
        raise Refused(MAY_WORK_LATER, error) from None


def title(options):
    if "worker" in options:
        return f"pycgid: worker {options['pool']}/{options['worker']}"
    return f"pycgid: template {options['pool']}"


def take_signals(host):
    """The master alone decides what they mean; it has held them back until now. What Python knows of
    INT must be nothing that asyncio and others take for Ctrl-C of a user."""
    signal.signal(signal.SIGINT, lambda *_: None)
    host.take_signals()


def become_worker(template, host, options, constants):
    """Forks workers, and returns True in each of them."""
    if not template.fork_workers(host, options, lambda: report(options["status_fd"], "ready")):
        return False
    host.set_process_title(title(options))
    set_number(options, constants)
    run_on_start(options)
    return True


def set_number(options, constants):
    """Tells the application which worker this is; a template is none, and has no number."""
    number = options.get("worker")
    sys.modules["pycgid"].worker = constants["pycgid.worker"] = number
    if number is not None:
        os.environ["PYCGID_WORKER"] = str(number)


def log(host, text):
    """To the log, whatever has become of sys.stderr."""
    host.log_write(2, text.encode("utf-8", "backslashreplace"))
    host.log_flush(2)


def environ_constants(host, options):
    return {
        "wsgi.version": (1, 0),
        "wsgi.errors": sys.__stderr__,
        "wsgi.multithread": options["threads"] > 1,
        "wsgi.multiprocess": bool(options["multiprocess"]),
        "wsgi.run_once": False,
        "wsgi.input": None,  # has its place, so that each request's own finds it made
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": host.FileWrapper,
        "pycgid.version": options["version"],
        "pycgid.pool": options["pool"],
        "pycgid.stopping": host.stopping,
    }


def serve(host, request_threads, leaving, application, constants, options):
    """False: requests are left that do not end."""
    leaving.request_threads = request_threads.started
    try:
        return host.serve(
            application=application,
            constants=constants,
            start_threads=request_threads.start,
            status_fd=options["status_fd"],
            memory_fd=options["memory_fd"],
            bell_fd=options["bell_fd"],
            passing_fd=options["passing_fd"],
            leave_beside=lambda: leaving.leave_beside(host),
            cleanup_ms=options["cleanup_time"],
            threads=options["threads"],
        )
    except ValueError as error:
        raise Refused(
            SYSTEM_ERROR, f"{error}: it is not of the daemon's own build; restart the daemon"
        ) from None
    except (OSError, RuntimeError) as error:
        raise Refused(
            SYSTEM_ERROR, f"cannot start {options['threads']} threads (option \"threads\"): {error}"
        ) from None


if __name__ == "__main__":
    main()
