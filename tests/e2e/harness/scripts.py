"""The worker's own scripts, for tests that need no daemon."""

import importlib.util
import os

from .place import SOURCE

DIRECTORY = os.path.join(SOURCE, "pyhost")


def load(name):
    spec = importlib.util.spec_from_file_location(name, os.path.join(DIRECTORY, name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
