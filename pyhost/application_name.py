"""An APP argument, taken apart: `module`, `module:callable`, a path to a .py or .wsgi file,
`path:callable`, and `module:factory("literal", key=1)` or `path:factory()`, a call that makes the
application. Used by loader.py."""

import os
import re

__version__ = "@PROJECT_VERSION@"

DEFAULT_CALLABLE = "application"

SYNTAX = re.compile(
    r"(?P<target>.+?):(?P<attribute>[^\W\d]\w*(?:\.[^\W\d]\w*)*)\s*(?P<call>\(.*\)\s*)?", re.DOTALL
)


class WrongName(Exception):
    """The message says in one line what is wrong with an APP argument."""


class Call:
    """The arguments of a factory; `text` is all of it as given, with the brackets."""

    def __init__(self, text, positional, keywords):
        self.text = text
        self.positional = positional
        self.keywords = keywords


class ApplicationName:
    """`target` is a module or a path, `call` None unless the attribute is to be called."""

    def __init__(self, target, attribute=DEFAULT_CALLABLE, call=None):
        self.target = target
        self.attribute = attribute
        self.call = call

    @property
    def is_file(self):
        """`blog.wsgi` is most often the module of that name, and a file only where there is one."""
        name = self.target
        return "/" in name or name.endswith(".py") or is_wsgi_file(name)

    def __str__(self):
        return f"{self.target}:{self.attribute}{self.call.text if self.call else ''}"


def is_wsgi_file(name):
    return name.endswith(".wsgi") and os.path.isfile(name)


def parse(app):
    # A colon may be part of a path.
    if ":" not in app or os.path.isfile(app):
        return ApplicationName(app)
    found = SYNTAX.fullmatch(app)
    if found is None:
        if "/" in app.rpartition(":")[2]:
            return ApplicationName(app)
        raise WrongName(
            "it is neither module:callable nor module:factory(...), nor the path of a .py or .wsgi"
            " file with or without one of these behind it"
        )
    call = parse_call(found["attribute"], found["call"].rstrip()) if found["call"] else None
    return ApplicationName(found["target"], found["attribute"], call)


def parse_call(factory, text):
    """Literals only: what a configuration file says is data, not a program."""
    import ast  # which few applications need

    try:
        tree = ast.parse(f"f{text}", mode="eval")
        compile(tree, "APP", "eval")  # which sees more mistakes
        call = tree.body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise WrongName(f'"{factory}{text}" is not one call')
        positional = [ast.literal_eval(argument) for argument in call.args]
        if any(keyword.arg is None for keyword in call.keywords):
            raise ValueError
        keywords = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    except SyntaxError as error:
        raise WrongName(f'the arguments in "{factory}{text}" are no Python: {error.msg}') from None
    except (ValueError, TypeError, MemoryError, RecursionError):
        raise WrongName(
            f'the arguments in "{factory}{text}" are not all literals,'
            f' as they are in {factory}("production", debug=False)'
        ) from None
    return Call(text, positional, keywords)
