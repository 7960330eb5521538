// The requests of option "warmup", see warmup.h.
#include "daemon/gateway/warmup.h"

#include <array>
#include <charconv>
#include <utility>

namespace pycgid {
namespace {

constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr int kFirstFailure = 500;

using Variable = std::pair<std::string_view, std::string_view>;
// As a front server on this machine would send them; the path is added for each request.
constexpr std::array<Variable, 11> kVariables{{{"REQUEST_METHOD", "GET"},
                                               {"REQUEST_SCHEME", "http"},
                                               {"SERVER_PROTOCOL", "HTTP/1.1"},
                                               {"GATEWAY_INTERFACE", "CGI/1.1"},
                                               {"SERVER_SOFTWARE", "pycgid"},
                                               {"SERVER_NAME", "localhost"},
                                               {"SERVER_ADDR", "127.0.0.1"},
                                               {"SERVER_PORT", "80"},
                                               {"REMOTE_ADDR", "127.0.0.1"},
                                               {"HTTP_HOST", "localhost"},
                                               {"HTTP_USER_AGENT", "pycgid-warmup"}}};

// Of a CGI response head; the gateway has written it, so that the header is there.
int status_of(std::string_view head) {
  constexpr std::string_view kStatus = "Status: ";
  int status = 0;
  if (const std::size_t at = head.find(kStatus); at != std::string_view::npos) {
    const char* digits = head.data() + at + kStatus.size();
    std::from_chars(digits, head.data() + head.size(), status);
  }
  return status;
}

}  // namespace

void WarmUp::advance() {
  if (exchange_ || over_) return;
  over_ = next_ == context_.pool.warmup.size();
  if (!over_) ask();
}

void WarmUp::ask() {
  const std::string_view uri = context_.pool.warmup[next_];
  head_.clear();
  ExchangeOwner& owner = *this;
  exchange_ = std::make_unique<Exchange>(context_, owner, 0, Exchange::Role::responder);
  exchange_->assign_to(worker_);
  for (const auto& [name, value] : kVariables) exchange_->add_param(name, value);
  exchange_->add_param("REQUEST_URI", uri);
  const std::size_t question = uri.find('?');
  exchange_->add_param("QUERY_STRING",
                       question == std::string_view::npos ? "" : uri.substr(question + 1));
  exchange_->add_param("CONTENT_LENGTH", "0");
  exchange_->params_ended();
}

void WarmUp::send(std::string_view bytes) {
  if (head_.find(kEndOfHead) == std::string::npos) head_.append(bytes);
}

void WarmUp::complete(Exchange&) {
  const int status = status_of(head_);
  exchange_.reset();
  if (status >= kFirstFailure) return fail("was answered " + std::to_string(status));
  ++next_;
}

void WarmUp::cut(Exchange&) {
  exchange_.reset();
  fail("was not answered to its end");
}

void WarmUp::fail(std::string_view what) {
  over_ = true;
  problem_ = "warm-up request \"" + context_.pool.warmup[next_] + "\" ";
  problem_.append(what).append(" (option \"warmup\")");
}

}  // namespace pycgid
