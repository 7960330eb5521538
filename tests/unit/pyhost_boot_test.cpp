// How a worker starts, and what it says when it cannot.
#include "tests/unit/catch.h"
#include "tests/unit/pyhost_driver.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

using pyhost_test::Start;
using pyhost_test::Worker;

namespace {

namespace fs = std::filesystem;

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (fs::temp_directory_path() / "pyhost-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryDirectory() { fs::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return (path_ / name).string();
  }
  std::string name() const { return path_.string(); }

 private:
  fs::path path_;
};

constexpr const char* kApplication =
    "def application(environ, start_response):\n"
    "    start_response('200 OK', [])\n"
    "    return [__name__.encode()]\n";

struct Refusal {
  std::string line;
  std::string log;
};

// The start fails, with the status of a wrong configuration.
Refusal refusal(const Start& start) {
  Worker worker(start);
  Refusal result;
  result.line = worker.status_line();
  CHECK(worker.wait_exit() == (result.line.starts_with("error 75 ") ? 75 : 78));
  result.log = worker.wait_log("");
  return result;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("boot: a module, dotted names on both sides", "[pyhost]") {
  const TemporaryDirectory directory;
  fs::create_directory(directory.name() + "/shop");
  directory.write("shop/wsgi.py",
                  std::string(kApplication) + "class sites:\n    main = application\n");
  for (const std::string app : {"shop.wsgi", "shop.wsgi:application", "shop.wsgi:sites.main"}) {
    Worker worker({.app = app, .directory = directory.name()});
    CHECK(worker.status_line() == "ready\n");
    CHECK(worker.ask({}).body == "shop.wsgi");
  }
}

TEST_CASE("boot: a file, with what lies beside it", "[pyhost]") {
  const TemporaryDirectory directory;
  directory.write("beside.py", kApplication);
  directory.write("site.wsgi", "from beside import application\nother = application\n");
  for (const std::string app : {"/site.wsgi", "/site.wsgi:other", "/beside.py"}) {
    Worker worker({.app = directory.name() + app, .directory = "/"});
    CHECK(worker.status_line() == "ready\n");
    CHECK(worker.ask({}).body == "beside");
  }
}

TEST_CASE("boot: a file in the current directory", "[pyhost]") {
  const TemporaryDirectory directory;
  directory.write("blog.wsgi", kApplication);
  directory.write("shop.py", kApplication);
  for (const std::string app : {"blog.wsgi", "shop.py", "shop.py:application"}) {
    Worker worker({.app = app, .directory = directory.name()});
    CHECK(worker.status_line() == "ready\n");
    CHECK(worker.ask({}).body == (app == "blog.wsgi" ? "pycgid_application" : "shop"));
  }
}

TEST_CASE("boot: a .wsgi file does not stand in the way of the package it is named after",
          "[pyhost]") {
  const TemporaryDirectory directory;
  fs::create_directory(directory.name() + "/blog");
  directory.write("blog/__init__.py", "");
  directory.write("blog/settings.py", kApplication);
  directory.write("blog.wsgi", "from blog.settings import application\n");
  Worker worker({.app = directory.name() + "/blog.wsgi", .directory = "/"});
  CHECK(worker.status_line() == "ready\n");
  CHECK(worker.ask({}).body == "blog.settings");
}

TEST_CASE("boot: a .py file has its own name where an import finds that very file", "[pyhost]") {
  const TemporaryDirectory directory;
  fs::create_directory(directory.name() + "/shop");
  directory.write("shop/__init__.py", "");
  fs::create_directory(directory.name() + "/deploy");
  directory.write("deploy/shop.py", kApplication);
  directory.write("deploy/os.py", kApplication);
  directory.write("deploy/once.py", std::string(kApplication) + "import again\n");
  directory.write("deploy/again.py", "import once\nassert once.application\n");
  const auto name_of = [&](const std::string& file, const std::string& start) {
    Worker worker({.app = directory.name() + "/deploy/" + file, .directory = start});
    CHECK(worker.status_line() == "ready\n");
    return worker.ask({}).body;
  };
  CHECK(name_of("shop.py", "/") == "shop");
  CHECK(name_of("shop.py", directory.name()) == "pycgid_application");
  CHECK(name_of("os.py", "/") == "pycgid_application");
  CHECK(name_of("once.py", "/") == "once");
}

TEST_CASE("boot: an exception that cannot be shown is explained all the same", "[pyhost]") {
  const TemporaryDirectory directory;
  const std::string begin = "error 75 cannot load application \"blog\": ";
  const auto line_of = [&](const std::string& body, const std::string& logged) {
    directory.write("blog.py", "import sys\nclass E(Exception):\n" + body);
    const Refusal wrong = refusal({.app = "blog", .directory = directory.name()});
    CHECK(contains(wrong.log, logged));
    REQUIRE(wrong.line.starts_with(begin));
    return wrong.line.substr(begin.size());
  };
  for (const std::string failure : {"ValueError", "SystemExit", "KeyboardInterrupt"}) {
    CHECK(line_of("  def __str__(self): raise " + failure + "(1)\nraise E\n", "in <module>") ==
          "E: (its message cannot be shown: " + failure + ")\n");
  }
  CHECK(line_of("  def __str__(self): return 1\nraise E\n", "in <module>") ==
        "E: (its message cannot be shown: TypeError)\n");
  CHECK(line_of("  def __str__(self): return str(self)\nraise E\n", "in <module>") ==
        "E: (its message cannot be shown: RecursionError)\n");
  CHECK(line_of("  pass\nraise E('\\udcff\\ud800')\n", "in <module>") == "E: \\udcff\\ud800\n");
  CHECK(line_of("  pass\nraise E('x' * 10_000_000)\n", "in <module>") ==
        "E: " + std::string(1500, 'x') + "...\n");
  CHECK(line_of("  __notes__ = property(lambda self: 1 / 0)\nraise E('a')\n", "") == "E: a\n");
  CHECK(line_of("  pass\nsys.stderr.detach()\nraise E('a')\n", "in <module>") == "E: a\n");
  CHECK(line_of("  pass\nsys.stderr = None\nraise E('a')\n", "in <module>") == "E: a\n");
  CHECK(line_of("  pass\nsys.excepthook = None\nsys.exit('a\\nb')\n", "in <module>") ==
        "SystemExit: a b\n");
  CHECK(line_of("  pass\nsys.path = [None]\nimport nowhere_at_all\n", "in <module>") ==
        "ModuleNotFoundError: No module named 'nowhere_at_all'; looked in None\n");
}

TEST_CASE("boot: no such module", "[pyhost]") {
  const TemporaryDirectory directory;
  const Refusal missing =
      refusal({.app = "blog.wsgi", .directory = directory.name(), .pythonpath = {"/nowhere"}});
  CHECK(
      missing.line.starts_with("error 78 cannot load application \"blog.wsgi\": "
                               "ModuleNotFoundError: No module named 'blog'; looked in "
                               "/nowhere, " +
                               directory.name() + ", "));
  CHECK(missing.log.empty());
}

TEST_CASE("boot: no such file", "[pyhost]") {
  CHECK(refusal({.app = "/nowhere/app.py"}).line ==
        "error 78 cannot load application \"/nowhere/app.py\": FileNotFoundError: [Errno 2] "
        "No such file or directory: '/nowhere/app.py'\n");
}

TEST_CASE("boot: a syntax error", "[pyhost]") {
  const TemporaryDirectory directory;
  directory.write("blog.py", "\n\ndef application(:\n");
  const Refusal wrong = refusal({.app = "blog", .directory = directory.name()});
  CHECK(wrong.line ==
        "error 78 cannot load application \"blog\": SyntaxError: invalid syntax "
        "(blog.py, line 3)\n");
  CHECK(contains(wrong.log, "def application(:"));
  CHECK(!contains(wrong.log, "loader.py"));
}

TEST_CASE("boot: an exception at import, with a traceback of the application alone", "[pyhost]") {
  const TemporaryDirectory directory;
  directory.write("blog.py", "def fail():\n    raise ValueError('two\\nlines')\nfail()\n");
  for (const std::string& app : {std::string("blog"), directory.name() + "/blog.py"}) {
    const Refusal wrong = refusal({.app = app, .directory = directory.name()});
    CHECK(wrong.line ==
          "error 75 cannot load application \"" + app + "\": ValueError: two lines\n");
    CHECK(contains(wrong.log, "line 3, in <module>"));
    CHECK(contains(wrong.log, "line 2, in fail"));
    CHECK(!contains(wrong.log, "loader.py"));
    CHECK(!contains(wrong.log, "importlib"));
  }
}

TEST_CASE("boot: an application that exits at import", "[pyhost]") {
  const TemporaryDirectory directory;
  directory.write("blog.py", "import sys\nsys.exit()\n");
  CHECK(refusal({.app = "blog", .directory = directory.name()}).line ==
        "error 75 cannot load application \"blog\": SystemExit\n");
}

TEST_CASE("boot: what may pass is told from what lasts", "[pyhost]") {
  const TemporaryDirectory directory;
  directory.write("blog.py", "import no_such_package_anywhere\n");
  directory.write("late.py", "open('/nowhere/secret.txt')\n");
  directory.write("refused.py", "raise ConnectionRefusedError(111, 'Connection refused')\n");
  directory.write("wrong.py", "import broken\n");
  directory.write("broken.py", "def broken(:\n");
  const auto status_of = [&](const std::string& app) {
    return refusal({.app = app, .directory = directory.name()}).line.substr(0, 9);
  };
  for (const char* app : {"blog", "late", "refused", "blog:create()"}) {
    CHECK(status_of(app) == "error 75 ");
  }
  CHECK(status_of(directory.name() + "/late.py") == "error 75 ");
  for (const char* app : {"nowhere", "nowhere.at.all", "wrong", "os:nothing", "os:path"}) {
    CHECK(status_of(app) == "error 78 ");
  }
  CHECK(status_of(directory.name() + "/nowhere.py") == "error 78 ");
}

TEST_CASE("boot: no such callable, and which there are", "[pyhost]") {
  const TemporaryDirectory directory;
  directory.write("blog.py",
                  "from os.path import join\nfrom io import BytesIO\nx = 1\n"
                  "def app(): pass\ndef _hidden(): pass\nclass Site: pass\nmain = Site.__call__\n");
  directory.write("empty.py", "y = 1\n");
  const std::string begin = "error 78 cannot load application \"";
  CHECK(refusal({.app = "blog", .directory = directory.name()}).line ==
        begin +
            "blog\": module \"blog\" has no attribute \"application\"; callables in it are: "
            "app, Site, main\n");
  CHECK(refusal({.app = "empty:a.b", .directory = directory.name()}).line ==
        begin +
            "empty:a.b\": module \"empty\" has no attribute \"a.b\"; there is no callable in "
            "it\n");
  CHECK(refusal({.app = "blog:x", .directory = directory.name()}).line ==
        begin + "blog:x\": \"blog:x\" is not callable\n");
}

TEST_CASE("boot: a daemon of another version", "[pyhost]") {
  Worker worker({.version = "9.9.9"});
  const std::string directory = fs::path(PYHOST_TEST_BOOT).parent_path().string();
  CHECK(worker.status_line() == "error 71 the installed files in \"" + directory +
                                    "\" are of pycgid " PYHOST_TEST_VERSION
                                    ", and the running daemon is pycgid 9.9.9; restart it\n");
  CHECK(worker.wait_exit() == 71);
}

TEST_CASE("boot: no pycgid_host for this Python", "[pyhost]") {
  const TemporaryDirectory directory;
  const fs::path built = fs::path(PYHOST_TEST_BOOT).parent_path();
  for (const fs::directory_entry& entry : fs::directory_iterator(built)) {
    if (entry.path().extension() == ".py") fs::copy(entry.path(), directory.name());
  }
  directory.write("pycgid_host.cpython-399-x86_64-linux-gnu.so", "");
  const Refusal none = refusal({.boot = directory.name() + "/boot.py"});
  CHECK(none.line.starts_with("error 78 no pycgid_host for Python 3."));
  CHECK(none.line.ends_with(
      ") in " + directory.name() +
      " (option \"python\"); there are: cpython-399-x86_64-linux-gnu; rebuild with "
      "PYCGID_PYTHONS\n"));
}

TEST_CASE("boot: our own modules are not there for the application", "[pyhost]") {
  CHECK(
      refusal({.app = "loader"})
          .line.starts_with("error 78 cannot load application \"loader\": ModuleNotFoundError: "));
}

TEST_CASE("boot: the application's own modules are not shadowed by ours", "[pyhost]") {
  const TemporaryDirectory directory;
  directory.write("loader.py", "name = 'the application\\'s'\n");
  directory.write("boot.py", "from loader import name\n" + std::string(kApplication));
  Worker worker({.app = "boot", .directory = directory.name()});
  CHECK(worker.status_line() == "ready\n");
  CHECK(worker.ask({}).body == "boot");
}
