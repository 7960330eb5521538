// Files, directories and symbolic links for tests of what looks at paths.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

namespace fs = std::filesystem;

// A directory of its own with some files in it, removed at the end.
class Tree {
 public:
  Tree() {
    std::string name = (fs::temp_directory_path() / "pycgid-XXXXXX").string();
    path_ = fs::canonical(::mkdtemp(name.data())).string();
    fs::create_directories(path_ + "/a/b");
    std::ofstream(path_ + "/a/b/file");
    fs::create_symlink("a/b", path_ + "/link");
    fs::create_symlink(path_ + "/none", path_ + "/broken");
    fs::create_symlink("circle", path_ + "/circle");
  }
  ~Tree() { fs::remove_all(path_); }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};
