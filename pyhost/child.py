"""Run by multiprocessing and its kin in the processes they spawn, in place of the worker's own main
program, if the application was loaded from a file by its path: what is pickled there says of which
module it is, and no import finds that module. boot.py names this file and sets the variable."""

import importlib.machinery
import importlib.util
import os
import sys

__version__ = "@PROJECT_VERSION@"


class Finder:
    """Imports the file when it is asked for: few children need all of the application."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        file = os.environ.get("PYCGID_APPLICATION_FILE")
        if name != "pycgid_application" or not file:
            return None
        loader = importlib.machinery.SourceFileLoader(name, file)
        return importlib.util.spec_from_file_location(name, file, loader=loader)


sys.meta_path.append(Finder)
