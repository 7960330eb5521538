// Which links are followed to a log.
#include "daemon/master/trusted_path.h"

#include "tests/unit/catch.h"
#include "tests/unit/path_tree.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <string>

namespace {

using namespace pycgid;

std::string place_of(const std::string& path) {
  const FilePlace place = find_place(path);
  if (!place.directory) return "";
  const std::string link = "/proc/self/fd/" + std::to_string(place.directory.get());
  return fs::read_symlink(link).string() + "/" + place.name;
}

TEST_CASE("trusted path: own links are followed to where the file is or will be", "[master]") {
  const Tree tree;
  CHECK(place_of(tree / "a/b/file") == (tree / "a/b/file"));
  CHECK(place_of(tree / "a/../link//file") == (tree / "a/b/file"));
  CHECK(place_of(tree / "link/new") == (tree / "a/b/new"));
  CHECK(place_of(tree / "broken") == (tree / "none"));
}

TEST_CASE("trusted path: what leads nowhere gives the reason", "[master]") {
  const Tree tree;
  CHECK_FALSE(find_place(tree / "none/file").directory);
  CHECK(errno == ENOENT);
  CHECK_FALSE(find_place(tree / "circle").directory);
  CHECK(errno == ELOOP);
  CHECK_FALSE(find_place(tree / "a/b/file/x").directory);
  CHECK(errno == ENOTDIR);
}

TEST_CASE("trusted path: the kernel follows what /proc names", "[master]") {
  CHECK(find_place("/dev/stdout").no_follow == 0);
  CHECK(find_place("/dev/null").no_follow == O_NOFOLLOW);
}

}  // namespace
