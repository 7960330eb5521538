#!/usr/bin/python3
"""The layering test finds what it is there for: every rule is broken once in a house of straw."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

import check_layers  # noqa: E402

# File and text of each breach.
BROKEN = {
    "Python outside of pyhost": ("daemon/a.cpp", "#include <Python.h>\n"),
    "Boost in a codec": ("fcgi/a.h", "#include <boost/asio/io_context.hpp>\n"),
    "OpenSSL in pyhost": ("pyhost/a.cpp", "#include <openssl/ssl.h>\n"),
    "libfcgi outside of fcgi": ("tests/unit/a.cpp", "#  include <fastcgi.h>\n"),
    "a codec that knows the other": ("scgi/a.cpp", '#include "fcgi/decoder.h"\n'),
    "a leaf that knows the daemon": ("pyhost/a.cpp", '#include "daemon/log.h"\n'),
    "the daemon behind the door": ("daemon/gateway/a.cpp", '#include "pyhost/internal/py.h"\n'),
    "an include that is not from the root": ("daemon/a.cpp", '#include "log.h"\n'),
    "a file that is read in another way": ("daemon/a.cpp", "std::ifstream file(path);\n"),
    "an exception that is dropped": ("pyhost/a.cpp", "void f() {\n  PyErr_Clear();\n}\n"),
    "an object that is kept but borrowed": (
        "pyhost/a.h", "struct A {\n  PyObject* object = nullptr;\n};\n"),
    "a string that finds no memory": ("pyhost/a.cpp", "std::string all(view);\n"),
    "a test that Catch2 3 does not build": ("tests/unit/a.cpp", "const int a = GENERATE(1, 2);\n"),
    "a long file": ("daemon/a.h", "//\n" * 401),
    "a long function": ("daemon/a.cpp", "int f() {\n" + "  g();\n" * 39 + "}\n"),
    "a long parameter list": ("daemon/a.cpp", "int f(int a,\n  int b) {\n" + "  g();\n" * 38 + "}\n"),
    "a long switch": ("daemon/a.cpp", "int f() {\n  switch (x) {\n" + "  g();\n" * 68 + "}\n"),
    "a long Python function": ("tests/e2e/a.py", "def f():\n" + "    g()\n" * 40),
    "a long function of a script": (
        "contrib/a", "#!/usr/bin/python3\ndef f():\n" + "    g()\n" * 40),
}

SOUND = {
    "the daemon at the door": ("daemon/a.cpp", '#include "pyhost/channel.h"\n'),
    "tests of every room": ("tests/unit/a.cpp", '#include "pyhost/internal/py.h"\n'),
    "exceptions that are dropped in their place": (
        "pyhost/exceptions.cpp", "void f() {\n  PyErr_Clear();\n}\n"),
    "strings where exceptions are": ("daemon/a.cpp", "std::string all(view);\n"),
    "an object that is kept": ("pyhost/a.h", "struct A {\n  PyRef object;\n};\n"),
    "views and comments": ("pyhost/a.cpp", "std::string_view a;  // no std::string\n"),
    "a switch over record types": (
        "daemon/a.cpp", "int f() {\n  switch (x) {\n" + "  g();\n" * 60 + "}\n"),
    "a long table": ("daemon/a.cpp", "int table[] = {\n" + "  f(1),\n" * 60 + "};\n"),
    "a declaration": ("daemon/a.h", "int f(int a,\n  int b);\nclass A {\n" + "\n" * 60 + "};\n"),
    "a function on one line": ("daemon/a.h", "int f() { g(); }\nclass A {\n" + "\n" * 60 + "};\n"),
    "a comment": ("daemon/a.h", "// f(\n" * 60 + "class A {\n};\n"),
    "a long class": ("daemon/a.h", "class A {\n" + "  int a();\n" * 60 + "};\n"),
    "a corpus": ("tests/fuzz/corpus/a/seed", "\n" * 500),
}


class CheckLayers(unittest.TestCase):
    def breaches(self, name, text):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / name
            path.parent.mkdir(parents=True)
            path.write_text(text)
            return list(check_layers.breaches(Path(directory)))

    def test_finds_every_breach_once(self):
        for what, (name, text) in BROKEN.items():
            with self.subTest(what):
                self.assertEqual(len(self.breaches(name, text)), 1)

    def test_leaves_sound_code_alone(self):
        for what, (name, text) in SOUND.items():
            with self.subTest(what):
                self.assertEqual(self.breaches(name, text), [])


if __name__ == "__main__":
    unittest.main()
