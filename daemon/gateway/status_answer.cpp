// Answers to the master's questions, see status_answer.h.
#include "daemon/gateway/status_answer.h"

#include "daemon/gateway/status_report.h"
#include "daemon/status/forms.h"
#include "daemon/status/question.h"
#include "daemon/text.h"

#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace pycgid {
namespace {

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// Sealed, for a reader that trusts nobody; empty and errno when it cannot be had.
pyhost::UniqueFd sealed_memory(std::string_view text) {
  pyhost::UniqueFd fd(::memfd_create("status", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fd;
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (!write_all(fd.get(), text) || ::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) fd.reset();
  return fd;
}

std::string answer_text(const Question& question, const Pools& pools) {
  if (question.form == "ping") return {};
  DaemonReport report{.version = PYCGID_VERSION,
                      .master = question.master,
                      .gateway = ::getpid(),
                      .started = question.started,
                      .problem = {},
                      .pools = {}};
  for (const auto& [id, pool] : pools.all()) {
    if (!pool->dispatcher.is_leaving()) report.pools.push_back(report_of(pool->context));
  }
  return status_text(report, question.form);
}

}  // namespace

Message answer_to(const Message& message, const Pools& pools) {
  Message answer{.type = MessageType::answer, .worker = message.worker};
  const std::optional<Question> question = decode_question(message.text);
  if (!question) {
    answer.text = "the gateway does not understand the question";
    return answer;
  }
  if (pyhost::UniqueFd memory = sealed_memory(answer_text(*question, pools))) {
    answer.fds.push_back(std::move(memory));
  } else {
    answer.text = concat("the gateway has no memory for the answer: ", reason(errno));
  }
  return answer;
}

}  // namespace pycgid
