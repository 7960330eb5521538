// Descriptors over the socket pair: for the right request, closed when nobody wants them.
#include "pyhost/internal/channel_files.h"
#include "tests/channel/support.h"
#include "tests/unit/catch.h"

#include <array>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace pyhost;
using namespace channel_test;

namespace {

constexpr ChannelSizes kSmall{3, 64, 256, 256};

UniqueFd file_of(std::string_view text) {
  UniqueFd fd(::memfd_create("file", MFD_CLOEXEC));
  REQUIRE(::pwrite(fd.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  return fd;
}

std::string text_of(const UniqueFd& fd) {
  std::array<char, 100> buffer{};
  const ssize_t got = fd ? ::pread(fd.get(), buffer.data(), buffer.size(), 0) : -1;
  return got < 0 ? "no file" : std::string(buffer.data(), static_cast<std::size_t>(got));
}

void submit_file(Ends& ends, std::uint32_t slot, std::string_view text) {
  REQUIRE(ends.gateway->pass_file(slot, file_of(text).get()));
  submit(*ends.gateway, slot, "", {0, BodyMode::file, text.size()});
}

}  // namespace

TEST_CASE("files: bodies reach the requests that they belong to, in any order", "[channel]") {
  Ends ends(kSmall);
  Intake intake(*ends.worker);
  for (const std::uint32_t slot : {0U, 1U, 2U}) submit_file(ends, slot, std::to_string(slot));
  for (int i = 0; i < 3; ++i) REQUIRE(intake.try_take());
  for (const std::uint32_t slot : {2U, 0U, 1U}) {
    const UniqueFd fd = ends.worker->receive_file(slot);
    CHECK(text_of(fd) == std::to_string(slot));
    CHECK((::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(!ends.worker->receive_file(slot));
  }
}

TEST_CASE("files: a revoked request's body is closed, not given to the next", "[channel]") {
  Ends ends(kSmall);
  Intake intake(*ends.worker);
  const auto before = open_descriptors();
  submit_file(ends, 0, "stale");
  REQUIRE(ends.gateway->revoke(0));
  submit_file(ends, 0, "fresh");
  REQUIRE(intake.try_take());
  CHECK(text_of(ends.worker->receive_file(0)) == "fresh");
  submit_file(ends, 1, "stale");
  REQUIRE(ends.gateway->revoke(1));
  CHECK(!intake.try_take());
  CHECK(open_descriptors() == before);
}

TEST_CASE("files: a thousand revoked bodies leave nothing behind", "[channel]") {
  Ends ends(kSmall);
  Intake intake(*ends.worker);
  const auto before = open_descriptors();
  for (int i = 0; i < 1000; ++i) {
    submit_file(ends, 0, "stale");
    REQUIRE(ends.gateway->revoke(0));
    REQUIRE(!intake.try_take());
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("files: answers' files reach their slots, in any order", "[channel]") {
  Ends ends(kSmall);
  Intake intake(*ends.worker);
  for (const std::uint32_t slot : {0U, 1U, 2U}) {
    submit(*ends.gateway, slot, "");
    REQUIRE(intake.try_take());
    const UniqueFd file = file_of(std::to_string(slot));
    REQUIRE(ends.worker->write_file(slot, file.get(), {0, 1}));
    CHECK(!ends.worker->write_file(slot, file.get(), {0, 1}));
  }
  for (const std::uint32_t slot : {1U, 2U, 0U}) {
    const UniqueFd fd = ends.gateway->receive_file(slot);
    CHECK(text_of(fd) == std::to_string(slot));
    CHECK((::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(!ends.gateway->receive_file(slot));
  }
}

TEST_CASE("files: only regular files are sent", "[channel]") {
  Ends ends(kSmall);
  submit(*ends.gateway, 0, "");
  REQUIRE(Intake(*ends.worker).try_take());
  std::array<int, 2> ends_of_pipe{};
  REQUIRE(::pipe2(ends_of_pipe.data(), O_CLOEXEC) == 0);
  const UniqueFd reader(ends_of_pipe[0]);
  const UniqueFd writer(ends_of_pipe[1]);
  CHECK(!ends.worker->write_file(0, reader.get(), {0, 1}));
  CHECK(!ends.worker->write_file(0, -1, {0, 1}));
}

TEST_CASE("files: an aborted answer's file is closed", "[channel]") {
  Ends ends(kSmall);
  Intake intake(*ends.worker);
  const auto before = open_descriptors();
  for (int i = 0; i < 1000; ++i) {
    submit(*ends.gateway, 0, "");
    REQUIRE(intake.try_take());
    REQUIRE(ends.worker->write_file(0, file_of("x").get(), {0, 1}));
    ends.gateway->abort(0);
    ends.worker->finish(0);
    ends.gateway->release(0);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("files: the gateway takes none but a live request's regular file", "[channel]") {
  ChannelPair pair = make_channel(kSmall);
  const UniqueFd worker(::fcntl(pair.worker.passing.get(), F_DUPFD_CLOEXEC, 0));
  std::error_code error;
  const auto gateway = GatewayEnd::open(std::move(pair.gateway), error);
  REQUIRE(gateway);
  const UniqueFd file = file_of("x");
  const UniqueFd device(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  submit(*gateway, 0, "");
  const auto before = open_descriptors();

  CHECK(!gateway->receive_file(0));
  CHECK(send_file(worker.get(), {0, 2}, file.get()));    // another generation
  CHECK(send_file(worker.get(), {1, 1}, file.get()));    // a free slot
  CHECK(send_file(worker.get(), {3, 1}, file.get()));    // no slot
  CHECK(send_file(worker.get(), {0, 1}, device.get()));  // a device
  CHECK(::send(worker.get(), "too short", 4, 0) == 4);   // no descriptor
  CHECK(!gateway->receive_file(0));
  CHECK(send_file(worker.get(), {0, 1}, file.get()));
  CHECK(gateway->receive_file(0));
  CHECK(open_descriptors() == before);
}

TEST_CASE("files: a message with many descriptors leaves at most one", "[channel]") {
  ChannelPair pair = make_channel(kSmall);
  const UniqueFd worker(::fcntl(pair.worker.passing.get(), F_DUPFD_CLOEXEC, 0));
  std::error_code error;
  const auto gateway = GatewayEnd::open(std::move(pair.gateway), error);
  REQUIRE(gateway);
  submit(*gateway, 0, "");
  const auto before = open_descriptors();

  const UniqueFd file = file_of("x");
  const FileTag tag{0, 1};
  const std::array<int, 3> fds{file.get(), file.get(), file.get()};
  REQUIRE(send_descriptors(worker.get(), {reinterpret_cast<const char*>(&tag), sizeof tag}, fds));
  CHECK(gateway->receive_file(0));
  if (!closes_excess_descriptors()) return;
  CHECK(open_descriptors() == before + 1);  // `file`
}

TEST_CASE("files: a full socket is told, not waited for", "[channel]") {
  Ends ends(kSmall);
  const UniqueFd file = file_of("x");
  int sent = 0;
  while (sent < 100'000 && ends.gateway->pass_file(0, file.get())) ++sent;
  CHECK(sent > 0);
  CHECK(sent < 100'000);
  ends.worker.reset();
  CHECK(!ends.gateway->pass_file(0, file.get()));
}
