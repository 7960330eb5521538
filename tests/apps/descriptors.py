"""An application that closes and replaces descriptors that it has not opened, as old daemon code and
some libraries do."""

import os
import resource
import tempfile

from routing import Router, answer

application = Router()
databases = []
if up_to := os.environ.get("CLOSE_AT_IMPORT"):
    os.closerange(3, int(up_to))


def foreign():
    """What is open here and not from the application: sockets, an eventfd, pipes."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if int(name) > 2 and not os.readlink(f"/proc/self/fd/{name}").startswith("/"):
                found.append(int(name))
        except OSError:
            pass  # the directory's own
    return found


def closed_up_to(end, start_response):
    """From then on every number that was freed is one of the application's database."""
    os.closerange(3, end)
    number, path = tempfile.mkstemp()
    os.unlink(path)
    os.write(number, b"rows")
    for _ in range(40):
        os.dup(number)
    print("written on", flush=True)
    databases.append(number)
    return answer(start_response, str(os.getpid()))


@application.validated
def size(_, start_response):
    return answer(start_response, str(os.fstat(databases[-1]).st_size))


@application.validated
def close_low(_, start_response):
    return closed_up_to(256, start_response)


@application.validated
def close_to_the_limit(_, start_response):
    return closed_up_to(os.sysconf("SC_OPEN_MAX"), start_response)


@application.validated
def close_all(_, start_response):
    return closed_up_to(1 << 16, start_response)


@application.validated
def replace_all(environ, start_response):
    """Each by the same file, whose path the request gives."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    database = os.open(environ["QUERY_STRING"], os.O_RDWR | os.O_APPEND)
    for number in foreign():
        os.dup2(database, number)
    print("a line for the log", flush=True)
    return answer(start_response, "replaced")


@application.validated
def numbers(_, start_response):
    return answer(start_response, " ".join(map(str, foreign())))


@application.validated
def pid(_, start_response):
    return answer(start_response, str(os.getpid()))


@application.validated
def daemonise(_, start_response):
    """Starts a helper the old way: its output goes where it says, and nothing of it to the log."""
    path = os.path.join(os.environ["DIRECTORY"], "helper")
    child = os.fork()
    if child == 0:
        os.setsid()
        os.closerange(3, 1 << 16)
        output = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.dup2(output, 1)
        os.dup2(output, 2)
        print("said by the helper", flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    with open(path, encoding="ascii") as file:
        return answer(start_response, file.read())
