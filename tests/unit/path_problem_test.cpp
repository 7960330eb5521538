// Why a path cannot be used.
#include "daemon/master/path_problem.h"

#include "tests/unit/catch.h"
#include "tests/unit/path_tree.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <unistd.h>

namespace {

using namespace pycgid;

std::string problem(const std::string& path, int mode = R_OK) {
  const auto found = problem_with(path, mode);
  return found ? found->text : "";
}

TEST_CASE("path problem: what is there is fine, by way of links, too", "[master]") {
  const Tree tree;
  CHECK(problem("/", R_OK | X_OK).empty());
  CHECK(problem(tree / "a/b/file").empty());
  CHECK(problem(tree / "a//b/../b/file").empty());
  CHECK(problem(tree / "link/file").empty());
  CHECK(problem(tree / "link/", R_OK | X_OK).empty());
}

TEST_CASE("path problem: the first name that is missing is told", "[master]") {
  const Tree tree;
  CHECK(problem(tree / "a/none/file") == "there is no \"" + (tree / "a/none") + "\"");
  CHECK(problem(tree / "broken/file") == "symbolic link \"" + (tree / "broken") + "\" leads to \"" +
                                             (tree / "none") + "\", which is not there");
  CHECK(problem(tree / "circle") == "Too many levels of symbolic links");
  CHECK(problem(tree / "a/b/file/x") == "\"" + (tree / "a/b/file") + "\" is not a directory");
}

TEST_CASE("path problem: a right that is missing is told with the file's", "[master]") {
  const Tree tree;
  fs::permissions(tree / "a/b/file", fs::perms{0644});
  CHECK(problem(tree / "link/file", X_OK)
            .find(" may not execute \"" + (tree / "a/b/file") + "\" (mode 0644, owner ") !=
        std::string::npos);
}

}  // namespace
