// Option "pidfile": one running daemon, one file.
#include "daemon/master/pid_file.h"

#include "daemon/startup_error.h"
#include "tests/unit/catch.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using namespace pycgid;
namespace fs = std::filesystem;

class Place {
 public:
  Place() {
    std::string name = (fs::temp_directory_path() / "pycgid-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
  }
  ~Place() { fs::remove_all(directory_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  std::string path() const { return directory_ / "pid"; }
  long files() const { return std::distance(fs::directory_iterator(directory_), {}); }
  void write(const std::string& text) const { std::ofstream(path()) << text; }
  std::string read() const {
    std::ifstream file(path());
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  fs::path directory_;
};

std::string refusal(const std::string& path) {
  try {
    PidFile(path).prepare();
    return {};
  } catch (const StartupError& error) {
    CHECK(error.status == ExitStatus::system);
    return error.text;
  }
}

TEST_CASE("pid file: there from publish() to the end, readable for all", "[pidfile]") {
  const Place place;
  {
    PidFile file(place.path());
    file.prepare();
    CHECK_FALSE(fs::exists(place.path()));
    file.publish();
    CHECK(place.read() == std::to_string(::getpid()) + "\n");
    struct stat status {};
    CHECK(::stat(place.path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0644);
    CHECK(place.files() == 1);
  }
  CHECK(place.files() == 0);
}

TEST_CASE("pid file: a start that fails leaves nothing", "[pidfile]") {
  const Place place;
  CHECK(refusal(place.path()) == "");
  CHECK(place.files() == 0);
}

TEST_CASE("pid file: a stale one is replaced", "[pidfile]") {
  const Place place;
  // This process is no pycgid, and process 4194305 cannot be.
  for (const std::string& stale : {std::to_string(::getppid()), std::string("4194305"),
                                   std::to_string(::getpid()), std::string("")}) {
    place.write(stale + "\n");
    PidFile file(place.path());
    file.prepare();
    CHECK(place.read() == stale + "\n");
    file.publish();
    CHECK(place.read() == std::to_string(::getpid()) + "\n");
  }
}

TEST_CASE("pid file: another file is left alone", "[pidfile]") {
  const Place place;
  place.write("root:x:0:0\n");
  CHECK(refusal(place.path()).find("no pid file") != std::string::npos);
  CHECK(place.read() == "root:x:0:0\n");
  fs::remove(place.path());
  fs::create_symlink("/etc/passwd", place.path());
  CHECK(refusal(place.path()).find("no regular file") != std::string::npos);
}

TEST_CASE("pid file: one that names another process by now is not removed", "[pidfile]") {
  const Place place;
  {
    PidFile file(place.path());
    file.prepare();
    file.publish();
    place.write("1\n");
  }
  CHECK(place.read() == "1\n");
}

TEST_CASE("pid file: a directory that is not there is told of before the start", "[pidfile]") {
  CHECK(refusal("/no/such/pid") ==
        "cannot use pid file \"/no/such/pid\": No such file or directory (option \"pidfile\")");
}

}  // namespace
