// What the master asks the gateway for pycgidctl: to show itself alive, or the status of all pools,
// in a form of status_text(). The answer is a memfd, so that the master passes it on unread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace pycgid {

struct Question {
  std::string form;  // of status_text(); "ping": none, the answer is empty
  // What the gateway puts at the head of the status.
  pid_t master = 0;
  std::chrono::steady_clock::time_point started{};
};

// As the text of a message, and back.
std::string encode(const Question& question);
std::optional<Question> decode_question(std::string_view text);

}  // namespace pycgid
