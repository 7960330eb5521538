"""What the worker's tests ask: the first segment of the path names a function of these modules."""

import answering
import ending
import greedy
import lasting
import process
import reading

FUNCTIONS = {}
for module in (answering, ending, greedy, lasting, process, reading):
    FUNCTIONS |= vars(module)


def application(environ, start_response):
    return FUNCTIONS[environ["PATH_INFO"].split("/")[1]](environ, start_response)
