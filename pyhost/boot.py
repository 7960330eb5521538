"""The worker's main program: PYTHON boot.py key=value...

The master starts it with the application's own Python. It loads the module pycgid_host that was
built for this Python, imports the application, says on descriptor `status_fd` how that went (`ready`,
or `error STATUS MESSAGE`, one line), and answers the gateway's requests until there are no more.

With `orders_fd` it becomes the template of option "preload" instead (template.py), and what is
forked from that goes on here.
"""

import importlib.machinery
import importlib.util
import io
import os
import signal
import sys

WRONG_CONFIGURATION = 78  # EX_CONFIG
SYSTEM_ERROR = 71  # EX_OSERR

DESCRIPTORS = {"memory_fd", "bell_fd", "passing_fd", "status_fd", "orders_fd"}

HERE = os.path.dirname(os.path.abspath(__file__))


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


def main():
    options = parse(sys.argv[1:])
    for name in DESCRIPTORS.intersection(options):
        os.set_inheritable(options[name], False)
    try:
        run(options)
    except Refused as refusal:
        report(options["status_fd"], f"error {refusal.status} {refusal}")
        sys.exit(refusal.status)


def parse(arguments):
    options = {"pythonpath": []}
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key == "pythonpath":
            options[key].append(value)
        elif key in ("app", "pool", "version"):
            options[key] = value
        else:
            options[key] = int(value)
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


def run(options):
    if wrong := load_module("pycgid_diagnosis", os.path.join(HERE, "diagnosis.py")).problem():
        raise Refused(WRONG_CONFIGURATION, wrong)
    host = load_module("pycgid_host", find_host())
    offered = load_module("pycgid_application_module", os.path.join(HERE, "application_module.py"))
    sys.modules["pycgid"] = offered.make(host, options["version"])
    loader = load_module("pycgid_loader", os.path.join(HERE, "loader.py"))
    host.set_process_title(title(options))
    sys.stdout = open_log(host, 1, "<stdout>")
    sys.stderr = open_log(host, 2, "<stderr>")
    # Ctrl-C reaches the whole process group; the master alone decides what it means.
    signal.signal(signal.SIGINT, lambda *_: None)

    sys.argv = [options["app"]]
    if not sys.flags.safe_path:
        del sys.path[0]  # the directory of this file
    loader.prepare_path(options["app"], options["pythonpath"])
    constants = environ_constants(host, options)
    try:
        application = loader.load(options["app"])
    except loader.CannotLoad as error:
        raise Refused(WRONG_CONFIGURATION, error) from None
    if "orders_fd" in options:
        template = load_module("pycgid_template", os.path.join(HERE, "template.py"))
        if not template.fork_workers(host, options, lambda: report(options["status_fd"], "ready")):
            return
        host.set_process_title(title(options))
    serve(host, application, constants, options)


def title(options):
    if "worker" in options:
        return f"pycgid: worker {options['pool']}/{options['worker']}"
    return f"pycgid: template {options['pool']}"


def find_host():
    path = os.path.join(HERE, "pycgid_host" + importlib.machinery.EXTENSION_SUFFIXES[0])
    if os.path.exists(path):
        return path
    option = "python" if sys.prefix == sys.base_prefix else "venv"
    present = [name.split(".")[1] for name in os.listdir(HERE) if name.startswith("pycgid_host.")]
    raise Refused(
        WRONG_CONFIGURATION,
        f"no pycgid_host for Python {sys.version_info[0]}.{sys.version_info[1]}"
        f" ({os.path.basename(path).split('.')[1]}) in {HERE} (option \"{option}\");"
        f" there are: {', '.join(sorted(present)) or 'none'}; rebuild with PYCGID_PYTHONS",
    )


def load_module(name, path):
    try:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module
    except (ImportError, OSError) as error:
        raise Refused(SYSTEM_ERROR, f"cannot load {path}: {error}") from None


def open_log(host, fd, name):
    """Written through, because the lines are collected below, where threads are told apart."""
    pipe = LogPipe(host, fd, name)
    return io.TextIOWrapper(pipe, "utf-8", "backslashreplace", write_through=True)


def environ_constants(host, options):
    return {
        "wsgi.version": (1, 0),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": options["threads"] > 1,
        "wsgi.multiprocess": bool(options["multiprocess"]),
        "wsgi.run_once": False,
        "wsgi.input": None,  # has its place, so that each request's own finds it made
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": host.FileWrapper,
        "pycgid.version": options["version"],
        "pycgid.pool": options["pool"],
    }


def serve(host, application, constants, options):
    try:
        host.serve(
            application=application,
            constants=constants,
            status_fd=options["status_fd"],
            memory_fd=options["memory_fd"],
            bell_fd=options["bell_fd"],
            passing_fd=options["passing_fd"],
            threads=options["threads"],
        )
    except OSError as error:
        raise Refused(
            SYSTEM_ERROR, f"cannot start {options['threads']} threads (option \"threads\"): {error}"
        ) from None


if __name__ == "__main__":
    main()
