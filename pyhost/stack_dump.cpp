#include "pyhost/stack_dump.h"

#include "pyhost/own_fds.h"
#include "pyhost/py_ref.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace pyhost {
namespace {

constexpr std::chrono::seconds kPatience{1};
constexpr char kEndOfStack = '\0';

// What the signal's handler needs, which gets no argument of ours. Written before the first signal.
struct {
  void (*dump)(int) = nullptr;  // faulthandler's handler
  int pipe = -1;
} handled;

void on_signal(int signal) {
  const int error = errno;
  if (is_ours(handled.pipe)) {
    handled.dump(signal);
    [[maybe_unused]] const ssize_t written = ::write(handled.pipe, &kEndOfStack, 1);
  }
  errno = error;
}

// Appends what is there. False at the stack's end, when nothing came until the deadline, and when
// there is no memory for more.
bool read_more(int pipe, Buffer& text, std::chrono::steady_clock::time_point deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  pollfd waiting{pipe, POLLIN, 0};
  if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) != 1) {
    text.clear();
    return false;
  }
  std::array<char, 4096> chunk;
  const ssize_t got = ::read(pipe, chunk.data(), chunk.size());
  if (got > 0 && !text.append({chunk.data(), static_cast<std::size_t>(got)})) return false;
  return !text.view().ends_with(kEndOfStack);
}

// A stack that came after its deadline.
void discard(int pipe) {
  std::array<char, 4096> chunk;
  while (::read(pipe, chunk.data(), chunk.size()) > 0) {
  }
}

// Without faulthandler's heading and our end mark.
Buffer calls_of(std::string_view text) {
  text = text.substr(0, text.find(kEndOfStack));
  const std::size_t heading = text.find('\n');
  Buffer calls;
  const bool fits =
      calls.append(heading == std::string_view::npos ? text : text.substr(heading + 1));
  return fits ? std::move(calls) : Buffer();
}

}  // namespace

bool StackDump::open() {
  std::array<int, 2> ends{};
  // A thread must not wait in its handler for us.
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    PyErr_SetFromErrno(PyExc_OSError);
    return false;
  }
  reader_ = UniqueFd(ends[0]);
  writer_ = UniqueFd(ends[1]);
  for (UniqueFd* end : {&reader_, &writer_}) {
    mark_as_ours(end->get());
    move_away(*end);
  }
  const auto faulthandler = PyRef::steal(PyImport_ImportModule("faulthandler"));
  if (!faulthandler) return false;
  // Only the stack of the thread that gets the signal.
  const auto done = PyRef::steal(PyObject_CallMethod(faulthandler.get(), "register", "iiO",
                                                     SIGRTMAX, writer_.get(), Py_False));
  return done && take_signal();
}

// faulthandler marks no end of a stack, so its handler is called by one of ours, which does.
bool StackDump::take_signal() {
  struct sigaction action {};
  if (::sigaction(SIGRTMAX, nullptr, &action) == 0) {
    handled = {action.sa_handler, writer_.get()};
    action.sa_handler = on_signal;
    action.sa_flags |= SA_RESTART;
    if (::sigaction(SIGRTMAX, &action, nullptr) == 0) return true;
  }
  PyErr_SetFromErrno(PyExc_OSError);
  return false;
}

Buffer StackDump::of(pthread_t thread) {
  if (!is_ours(reader_.get()) || !is_ours(writer_.get())) return {};
  discard(reader_.get());
  if (::pthread_kill(thread, SIGRTMAX) != 0) return {};
  Buffer text;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (read_more(reader_.get(), text, deadline)) {
  }
  return calls_of(text.view());
}

}  // namespace pyhost
