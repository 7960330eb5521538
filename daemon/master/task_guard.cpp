// Exceptions of the running master, see task_guard.h.
#include "daemon/master/task_guard.h"

#include "daemon/log.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <exception>
#include <utility>

namespace pycgid {
namespace {

constexpr std::chrono::milliseconds kPause{100};
constexpr std::chrono::seconds kSayAgain{60};

// Of the exception that is being handled.
std::string current_reason() {
  try {
    throw;
  } catch (const StartupError& error) {
    return error.text;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "unknown exception";
  }
}

}  // namespace

void TaskGuard::report(std::string_view what, std::string_view object) noexcept {
  failed_ = true;
  try {
    std::string text = concat("cannot ", what, ": ", object, object.empty() ? "" : ": ",
                              current_reason(), "; going on");
    const auto now = std::chrono::steady_clock::now();
    if (text == said_ && now - said_at_ < kSayAgain) return;
    log_error(text);
    said_ = std::move(text);
    said_at_ = now;
  } catch (...) {
    // No memory even for the line: there is nobody left to tell.
  }
}

std::chrono::milliseconds TaskGuard::take_pause() {
  return std::exchange(failed_, false) ? kPause : std::chrono::milliseconds(0);
}

}  // namespace pycgid
