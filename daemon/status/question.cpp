// Questions as texts of messages, see question.h: form, pid of the master, start in nanoseconds.
#include "daemon/status/question.h"

#include "daemon/text.h"

#include <cstdint>
#include <sstream>

namespace pycgid {

std::string encode(const Question& question) {
  const std::chrono::nanoseconds started = question.started.time_since_epoch();
  return concat(question.form, " ", question.master, " ", started.count());
}

std::optional<Question> decode_question(std::string_view text) {
  std::istringstream words{std::string(text)};
  Question question;
  std::int64_t started = 0;
  if (!(words >> question.form >> question.master >> started)) return std::nullopt;
  question.started = std::chrono::steady_clock::time_point(std::chrono::nanoseconds(started));
  return question;
}

}  // namespace pycgid
