// One line of pycgid.conf(5): comments, quotes, what is wrong, and what looks meant otherwise.
#include "daemon/config_line.h"

#include "tests/unit/catch.h"

#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace pycgid;
using Kind = ConfigLine::Kind;

std::string value_of(std::string_view line) {
  const ConfigLine read = read_config_line(line);
  INFO(line << " " << read.problem);
  CHECK(read.kind == Kind::option);
  CHECK(read.warning == "");
  return read.value;
}

std::string problem_of(std::string_view line) {
  const ConfigLine read = read_config_line(line);
  CHECK(read.kind == Kind::wrong);
  return read.problem;
}

std::string warning_of(std::string_view line) {
  const ConfigLine read = read_config_line(line);
  CHECK(read.kind == Kind::option);
  return read.warning;
}

TEST_CASE("config line: # begins a comment at the start or behind a blank only", "[config]") {
  CHECK(read_config_line("").kind == Kind::blank);
  CHECK(read_config_line(" \t# a = b").kind == Kind::blank);
  CHECK(value_of("env = SECRET_KEY=ab#cd") == "SECRET_KEY=ab#cd");
  CHECK(value_of("env = SECRET_KEY=ab#cd # a comment") == "SECRET_KEY=ab#cd");
  CHECK(value_of("threads = 4\t#four") == "4");
  CHECK(value_of("mount = # none") == "");
  CHECK(value_of("app=#x") == "#x");
  CHECK(read_config_line("[blog] # comment").name == "blog");
  CHECK(read_config_line("[blog#2]").name == "blog#2");
}

TEST_CASE("config line: quotes keep a value together", "[config]") {
  CHECK(value_of("chdir = \"/srv/my # site \"  # comment") == "/srv/my # site ");
  CHECK(value_of("chdir = '/srv/\"x\" \\n'\r") == "/srv/\"x\" \\n");
  CHECK(value_of("chdir = \"a\\\"b\\\\c\\d\"") == "a\"b\\c\\d");
  CHECK(value_of("mount = \"\"") == "");
  CHECK(value_of("chdir = \"it's\"") == "it's");
}

TEST_CASE("config line: quotes around the value of a variable, too", "[config]") {
  CHECK(value_of("env = NAME=\"a # b\"") == "NAME=a # b");
  CHECK(value_of("env = NAME='a # \"b\"' # c") == "NAME=a # \"b\"");
  CHECK(value_of("env = \"NAME='a'\"") == "NAME='a'");
  CHECK(value_of("env = NAME=\"\"") == "NAME=");
  CHECK(value_of("env = A=b\"c\"") == "A=b\"c\"");
  CHECK(value_of("chdir = A=\"b\"") == "A=\"b\"");
}

TEST_CASE("config line: quotes within a value belong to it", "[config]") {
  const std::string format = "%h \"%r\" %>s \"%{User-Agent}i\"";
  CHECK(value_of("access-format = " + format) == format);
  CHECK(value_of("access-format = '\"%r\" %s'") == "\"%r\" %s");
}

TEST_CASE("config line: what cannot be read is told", "[config]") {
  CHECK(problem_of("threads") == "write NAME = VALUE");
  CHECK(problem_of("= 4") == "write NAME = VALUE");
  CHECK(problem_of("clear-env # = yes") == "write NAME = VALUE");
  CHECK(problem_of("; a comment") == "a comment begins with #");
  CHECK(problem_of("app = \"blog") == "the quote is not closed");
  CHECK(problem_of("app = \"blog\\\"") == "the quote is not closed");
  CHECK(problem_of("env = A='b") == "the quote is not closed");
  CHECK(problem_of("access-format = \"%r\" %s").starts_with("text stands behind the closing"));
  CHECK(problem_of("app = 'a'#b").starts_with("text stands behind the closing"));
  CHECK(problem_of(std::string_view("app = a\0b", 9)).starts_with("it holds a NUL byte"));
}

TEST_CASE("config line: what looks meant otherwise is warned of", "[config]") {
  CHECK(warning_of("env = A=ab #cd").starts_with("\"#cd\" is a comment; put the value in quotes"));
  CHECK(warning_of("env = A=ab # cd") == "");
  CHECK(warning_of("access-format = %h \"%r #x\"").find("is a comment") != std::string::npos);
  CHECK(warning_of("chdir = \u201c/srv\u201d").find("quotes") != std::string::npos);
  CHECK(warning_of("env = A=\u201cb\u201d").find("quotes") != std::string::npos);
  CHECK(warning_of("env = A=b \\").find("does not go on") != std::string::npos);
  CHECK(warning_of("venv = ~/venv").find("as they stand") != std::string::npos);
  CHECK(warning_of("venv = $HOME/venv").find("as they stand") != std::string::npos);
  CHECK(warning_of("pythonpath = /a:/b").find("one directory a line") != std::string::npos);
  CHECK(warning_of("env = PASSWORD=$x:y") == "");
}

TEST_CASE("config line: what is written reads back as the same value", "[config]") {
  const std::vector<std::string> values{
      "",     " ",  "a",    "a#b",  "a #b",   "#a", " a ",   "\"a\"",         "'a'",
      "\"a",  "\\", "a\\",  "\\\"", "a\tb",   "\t", "\r",    "a\r",           "A=\"b\"",
      "A='b", "A=", "A= b", "=",    "[blog]", ";",  "a = b", "\u201ca\u201d", "A=\"b\" c"};
  for (const std::string& value : values) {
    for (const std::string option : {"env", "chdir"}) {
      const std::string line = option + " = " + write_config_value(option, value);
      INFO(line);
      const ConfigLine read = read_config_line(line);
      CHECK(read.kind == Kind::option);
      CHECK(read.name == option);
      CHECK(read.value == value);
    }
  }
  CHECK_FALSE(fits_in_line("a\nb"));
  CHECK_FALSE(fits_in_line(std::string_view("\0", 1)));
}

}  // namespace
