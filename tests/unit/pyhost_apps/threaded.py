"""What an application sees of the threads that run its requests. Set before they are started:
profile, stack size and a context variable."""

import contextvars
import ctypes
import sys
import threading

from answers import ok

STACK = 3 << 20
profiled = set()
together = threading.Barrier(3)
variable = contextvars.ContextVar("variable")
variable.set("imported")


def profile(frame, event, argument):
    if frame.f_code.co_name == "application":
        profiled.add(threading.current_thread().name)


threading.setprofile(profile)
threading.stack_size(STACK)


def kind():
    thread = threading.current_thread()
    return f"{thread.name} {type(thread).__name__} {thread.daemon} {thread in threading.enumerate()}"


def stack_size():
    pthread = ctypes.CDLL(None)
    attributes = ctypes.create_string_buffer(256)
    size = ctypes.c_size_t()
    pthread.pthread_getattr_np(ctypes.c_ulong(threading.get_ident()), attributes)
    pthread.pthread_attr_getstacksize(attributes, ctypes.byref(size))
    return "as wanted" if size.value == STACK else "another"


def context():
    seen = variable.get("nothing")
    variable.set("the last request's")
    return seen


def job():
    """Starts what goes on after the main thread's end."""

    def work():
        threading.main_thread().join()
        print("the job is done")

    threading.Thread(target=work).start()
    return "begun"


def who_was_profiled():
    return " ".join(sorted(profiled))


def application(environ, start_response):
    path = environ["PATH_INFO"][1:]
    if environ["QUERY_STRING"]:
        together.wait(20)
    return ok(start_response, vars(sys.modules[__name__])[path]().encode())
