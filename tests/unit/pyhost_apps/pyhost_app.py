"""What the worker's tests ask: the first segment of the path names a function of these modules."""

import answering
import ending
import lasting
import process
import reading

FUNCTIONS = (
    vars(answering) | vars(ending) | vars(lasting) | vars(process) | vars(reading)
)


def application(environ, start_response):
    return FUNCTIONS[environ["PATH_INFO"].split("/")[1]](environ, start_response)
