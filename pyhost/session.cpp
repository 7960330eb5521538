// Only /proc knows who belongs to a session. It is read with system calls alone, into memory of the
// stack, as this also runs in a signal's handler.
#include "pyhost/session.h"

#include "pyhost/unique_fd.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <string_view>
#include <sys/syscall.h>
#include <unistd.h>

namespace pyhost {
namespace {

// A process that was seen may have started another before it was killed.
constexpr int kMostRounds = 16;

struct Stat {
  char state = 'X';
  pid_t session = -1;
};

// proc(5): the state is field 3, the session field 6; field 2 may contain anything.
Stat parse(std::string_view text) {
  constexpr int kFieldsToSession = 3;
  Stat stat;
  const std::size_t name_end = text.rfind(") ");
  if (name_end == std::string_view::npos || name_end + 2 >= text.size()) return stat;
  text.remove_prefix(name_end + 2);
  stat.state = text.front();
  for (int field = 0; field < kFieldsToSession; ++field) {
    text.remove_prefix(std::min(text.find(' '), text.size() - 1) + 1);
  }
  std::from_chars(text.data(), text.data() + text.size(), stat.session);
  return stat;
}

Stat look_at(int proc, const char* process) {
  std::array<char, 512> text;
  std::array<char, 32> path{};
  std::strncpy(path.data(), process, path.size() - 6);
  std::strcat(path.data(), "/stat");
  const UniqueFd file(::openat(proc, path.data(), O_RDONLY | O_CLOEXEC));
  const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : -1;
  return size > 0 ? parse({text.data(), static_cast<std::size_t>(size)}) : Stat{};
}

bool is_alive_in(const Stat& stat, std::span<const pid_t> sessions) {
  return stat.state != 'Z' && stat.state != 'X' &&
         std::ranges::find(sessions, stat.session) != sessions.end();
}

// Between a look and the signal the number may have become another process's: a pidfd stays with
// the one that is looked at. Without pidfds, before Linux 5.3, the risk is taken.
bool kill_member(int proc, const char* process, pid_t pid, std::span<const pid_t> sessions) {
  if (!is_alive_in(look_at(proc, process), sessions)) return false;
  const UniqueFd held(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!held) return ::kill(pid, SIGKILL) == 0;
  if (!is_alive_in(look_at(proc, process), sessions)) return false;
  return ::syscall(SYS_pidfd_send_signal, held.get(), SIGKILL, nullptr, 0) == 0;
}

struct Entry {
  std::uint64_t inode;
  std::int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[1];
};

// Whether there was one.
bool kill_all_once(int proc, std::span<const pid_t> sessions) {
  bool any = false;
  alignas(Entry) std::array<char, 4096> entries;
  const pid_t self = ::getpid();
  long size = 0;
  while ((size = ::syscall(SYS_getdents64, proc, entries.data(), entries.size())) > 0) {
    for (long at = 0; at < size;) {
      const char* const entry = entries.data() + at;
      unsigned short length = 0;
      std::memcpy(&length, entry + offsetof(Entry, length), sizeof length);
      const char* const name = entry + offsetof(Entry, name);
      at += length;
      pid_t pid = 0;
      const char* const end = name + std::strlen(name);
      if (std::from_chars(name, end, pid).ptr != end || pid == self) continue;
      any |= kill_member(proc, name, pid, sessions);
    }
  }
  return any;
}

}  // namespace

void kill_sessions(std::span<const pid_t> sessions) {
  for (int round = 0; round < kMostRounds; ++round) {
    const UniqueFd proc(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!proc || !kill_all_once(proc.get(), sessions)) return;
  }
}

}  // namespace pyhost
