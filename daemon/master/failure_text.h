// Why a start or a reload failed.
#pragma once

#include "daemon/startup_error.h"

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace pycgid {

// What the task throws, whatever it is, as a reason; nothing when it throws nothing.
template <typename Task>
std::optional<StartupError> failure_of(Task&& task) {
  try {
    std::forward<Task>(task)();
    return std::nullopt;
  } catch (const StartupError& error) {
    return error;
  } catch (const std::exception& error) {
    return StartupError{ExitStatus::system, error.what()};
  }
}

// The text without what is another number at each attempt, though the reason is the same: that of a
// process ("blog/1[4711]", "process 4711") and the address of an object ("0x7f12").
std::string without_numbers_of_processes(std::string_view text);

}  // namespace pycgid
