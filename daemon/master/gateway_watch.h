// Whether the gateway's loop runs: it is asked again and again, with a service manager or without,
// and given up when it does not answer. Pure: the clock is the caller's. Runs on the master's one
// thread.
//
//   begin --> (asked) --on_answer--> (content) --kAskEvery--> ask (asked) --kAnswerWithin-->
//   overdue
#pragma once

#include <chrono>
#include <optional>

namespace pycgid {

class GatewayWatch {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class Step { none, ask, overdue };

  // Rarely enough to cost nothing; what stands still is noticed within half a minute all the same.
  static constexpr std::chrono::seconds kAskEvery{5};
  // A turn of the loop takes milliseconds. Whatever a machine under load, with a slow disk or
  // little memory, adds to that, web servers have given up by now (nginx waits a minute).
  static constexpr std::chrono::seconds kAnswerWithin{20};

  // A gateway was started: its first word is an answer.
  void begin(TimePoint now) {
    asked_ = true;
    due_ = now + kAnswerWithin;
  }
  void on_answer(TimePoint now) {
    if (!due_) return;
    asked_ = false;
    due_ = now + kAskEvery;
  }
  // It ends, or is to end.
  void end() { due_.reset(); }

  // What is to be done now; `overdue` is said once.
  Step look(TimePoint now) {
    // A master that was itself stopped (a debugger, a virtual machine that was paused) has heard
    // nothing in that time, and blames nobody for it.
    constexpr std::chrono::seconds kOwnDelay{2};
    if (!due_ || now < *due_) return Step::none;
    const bool was_away = now > *due_ + kOwnDelay;
    if (asked_ && !was_away) {
      due_.reset();
      return Step::overdue;
    }
    asked_ = true;
    due_ = now + kAnswerWithin;
    return Step::ask;
  }
  std::optional<TimePoint> next_due() const { return due_; }

 private:
  std::optional<TimePoint> due_;  // empty: nobody is watched
  bool asked_ = false;            // and not answered yet
};

}  // namespace pycgid
