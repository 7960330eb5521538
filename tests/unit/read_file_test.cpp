// Reading a file whole: what is no such file is said, and nothing is waited for.
#include "daemon/read_file.h"

#include "tests/unit/catch.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

using namespace pycgid;
namespace fs = std::filesystem;

class Directory {
 public:
  Directory() {
    std::string name = (fs::temp_directory_path() / "pycgid-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Directory() { fs::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  std::string at(const std::string& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

TEST_CASE("read file: a regular file is read whole, any bytes", "[files]") {
  const Directory directory;
  const std::string bytes = std::string(40'000, 'x') + std::string("\0\xff\n", 3);
  std::ofstream(directory.at("a")) << bytes;
  const FileText file = read_file(directory.at("a"));
  CHECK(file.is_read());
  CHECK(file.text == bytes);
}

TEST_CASE("read file: a file of the kernel has no size, and is read", "[files]") {
  const FileText file = read_file("/proc/self/status");
  CHECK(file.is_read());
  CHECK(file.text.starts_with("Name:"));
}

TEST_CASE("read file: what is too large is not taken into memory", "[files]") {
  const Directory directory;
  std::ofstream(directory.at("a")) << std::string(4097, 'x');
  CHECK(read_file(directory.at("a"), 4097).is_read());
  const FileText file = read_file(directory.at("a"), 4096);
  CHECK(file.problem == "it is larger than 4K");
  CHECK(file.text.empty());
}

TEST_CASE("read file: directories, pipes, sockets and devices are no files to read", "[files]") {
  const Directory directory;
  CHECK(read_file(directory.at(".")).error == EISDIR);
  CHECK(read_file(directory.at("gone")).error == ENOENT);
  REQUIRE(::mkfifo(directory.at("pipe").c_str(), 0600) == 0);
  CHECK(read_file(directory.at("pipe")).problem == "it is not a regular file");
  CHECK(read_file("/dev/zero").problem == "it is not a regular file");
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = directory.at("socket");
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  CHECK(read_file(path).problem == "it is not a regular file");
  ::close(fd);
}

TEST_CASE("read file: a process that has ended is no exception", "[files]") {
  CHECK_FALSE(read_file("/proc/4194304/stat").is_read());
  // EIO: the address space is not there.
  CHECK(read_file("/proc/self/mem").error == EIO);
}

}  // namespace
