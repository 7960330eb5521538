"""What the administrator is told of an exception that the application raised while it loaded,
whatever its class does when it is asked. Used by loader.py."""

import sys
import traceback

__version__ = "@PROJECT_VERSION@"

# Of a message in one line, and of a traceback; in characters.
MAX_LINE = 1500
MAX_TRACEBACK = 32 * 1024


def explain(error):
    """In one line."""
    text = f"{class_name(error)}: {message(error)}".removesuffix(": ")
    if isinstance(error, ModuleNotFoundError):
        text += f"; looked in {', '.join(map(str, sys.path))}"
    return text


def class_name(error):
    return type.__dict__["__name__"].__get__(type(error))


def message(error):
    try:
        text = str(error)
        return text if len(text) <= MAX_LINE else f"{text[:MAX_LINE]}..."
    except BaseException as failure:
        return f"(its message cannot be shown: {class_name(failure)})"


def application_traceback(error, our_file):
    """Without the frames of ours and of the import system; None if nothing is left that explain()
    does not say."""
    own = error.__traceback__
    while own is not None and is_machinery(own.tb_frame.f_code.co_filename, our_file):
        own = own.tb_next
    if own is None and not isinstance(error, SyntaxError):
        return None
    text = format_traceback(error, own)
    if len(text) <= MAX_TRACEBACK:
        return text
    half = MAX_TRACEBACK // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters ...\n{text[-half:]}"


def format_traceback(error, own):
    try:
        return "".join(traceback.format_exception(type(error), error, own))
    except BaseException as failure:
        return f"{class_name(error)} (its traceback cannot be shown: {class_name(failure)})\n"


def is_machinery(filename, our_file):
    return filename == our_file or filename.startswith("<frozen importlib")
