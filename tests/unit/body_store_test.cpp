// A request body in memory and, above a limit, in a temporary file.
#include "daemon/gateway/body_store.h"

#include "tests/unit/catch.h"
#include "tests/unit/count_allocations.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using pycgid::BodyStore;

namespace {

// A directory for the temporary files, gone with the test.
class Directory {
 public:
  Directory() {
    char path[] = "/tmp/pycgid-body-test-XXXXXX";
    REQUIRE(::mkdtemp(path) != nullptr);
    path_ = path;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  bool empty() const { return std::filesystem::is_empty(path_); }

 private:
  std::string path_;
};

// No file may grow beyond this many bytes while it lives: a full disk that root can have, too.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

// What a reader that takes over the descriptor sees.
std::string content(const BodyStore& store) {
  std::string text(static_cast<std::size_t>(store.size()) + 1, '\0');
  const ssize_t got = ::read(store.file(), text.data(), text.size());
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return text;
}

}  // namespace

TEST_CASE("body store: stays in memory up to the limit", "[gateway]") {
  BodyStore store;
  CHECK(!store.append("hello ", 11, "/nonexistent"));
  CHECK(!store.append("world", 11, "/nonexistent"));
  CHECK(store.in_memory());
  CHECK(store.file() == -1);
  CHECK(store.memory() == "hello world");
  CHECK(store.size() == 11);
}

TEST_CASE("body store: one byte above the limit moves all to a file", "[gateway]") {
  const Directory directory;
  BodyStore store;
  CHECK(!store.append("hello ", 10, directory.path()));
  CHECK(!store.append("world", 10, directory.path()));
  CHECK(!store.in_memory());
  CHECK(!store.append("!", 10, directory.path()));
  CHECK(store.size() == 12);
  CHECK(content(store) == "hello world!");
}

TEST_CASE("body store: a limit of 0 uses the file at once", "[gateway]") {
  const Directory directory;
  BodyStore store;
  CHECK(!store.append("", 0, directory.path()));
  CHECK(store.in_memory());
  CHECK(!store.append("x", 0, directory.path()));
  CHECK(content(store) == "x");
}

TEST_CASE("body store: nobody else can open the file, or inherit it", "[gateway]") {
  const Directory directory;
  BodyStore store;
  CHECK(!store.append("secret", 0, directory.path()));
  CHECK(directory.empty());
  struct stat status {};
  REQUIRE(::fstat(store.file(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(status.st_nlink == 0);
  CHECK((::fcntl(store.file(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("body store: a missing directory is an error until clear()", "[gateway]") {
  BodyStore store;
  CHECK(store.append("abc", 2, "/nonexistent").value() == ENOENT);
  CHECK(store.append("d", 100, "/tmp").value() == ENOENT);
  store.clear();
  CHECK(!store.append("abc", 100, "/nonexistent"));
  CHECK(store.memory() == "abc");
}

TEST_CASE("body store: a full disk is an error until clear()", "[gateway]") {
  const Directory directory;
  const FileSizeLimit limit(1000);
  BodyStore store;
  CHECK(!store.append(std::string(999, 'a'), 0, directory.path()));
  CHECK(store.append("bc", 0, directory.path()).value() == EFBIG);
  CHECK(store.append("d", 0, directory.path()).value() == EFBIG);
  store.clear();
  CHECK(!store.append("e", 0, directory.path()));
  CHECK(content(store) == "e");
}

TEST_CASE("body store: a disk that is full at the spill is an error", "[gateway]") {
  const Directory directory;
  const FileSizeLimit limit(10);
  BodyStore store;
  CHECK(!store.append("0123456789", 10, directory.path()));
  CHECK(store.append("a", 10, directory.path()).value() == EFBIG);
}

TEST_CASE("body store: streaming drops the front", "[gateway]") {
  BodyStore store;
  CHECK(!store.append("abcdef", 100, "/nonexistent"));
  store.drop_front(1);
  CHECK(store.memory() == "bcdef");
  CHECK(store.size() == 5);
  CHECK(!store.append("gh", 100, "/nonexistent"));
  store.drop_front(4);
  CHECK(store.memory() == "fgh");
  store.drop_front(3);
  CHECK(store.memory().empty());
  CHECK(store.size() == 0);
}

TEST_CASE("body store: the limit counts what is held, and only that is spilled", "[gateway]") {
  const Directory directory;
  BodyStore store;
  CHECK(!store.append("abcdef", 6, directory.path()));
  store.drop_front(2);
  CHECK(!store.append("gh", 6, directory.path()));
  CHECK(store.in_memory());
  store.drop_front(1);
  CHECK(!store.append("ij", 6, directory.path()));
  CHECK(!store.in_memory());
  CHECK(content(store) == "defghij");
}

TEST_CASE("body store: clear() goes back to memory", "[gateway]") {
  const Directory directory;
  BodyStore store;
  CHECK(!store.append("abc", 0, directory.path()));
  store.clear();
  CHECK(store.in_memory());
  CHECK(store.size() == 0);
  CHECK(!store.append("d", 1, directory.path()));
  CHECK(store.memory() == "d");
}

TEST_CASE("body store: clear() keeps little memory, the file none", "[gateway]") {
  const Directory directory;
  const std::string some(8'000, 'a');
  const std::string much(100'000, 'a');
  BodyStore store;
  const auto allocations_for = [&](const std::string& bytes) {
    const std::size_t before = allocations();
    const bool stored = !store.append(bytes, 200'000, directory.path());
    const std::size_t made = allocations() - before;
    CHECK(stored);
    store.clear();
    return made;
  };
  CHECK(allocations_for(some) > 0);
  CHECK(allocations_for(some) == 0);
  CHECK(allocations_for(much) > 0);
  CHECK(allocations_for(some) > 0);
  CHECK(allocations_for(some) == 0);
  CHECK(!store.append(some, 10'000, directory.path()));
  CHECK(!store.append(some, 10'000, directory.path()));
  store.clear();
  CHECK(allocations_for(some) > 0);
}
