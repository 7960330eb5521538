// The requests of option "warmup": made to one new worker, one after the other, before it serves
// anybody else. They take the same way through the worker as a front server's would. The gateway's
// thread only.
#pragma once

#include "daemon/gateway/exchange.h"
#include "daemon/gateway/worker.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace pycgid {

class WarmUp final : private ExchangeOwner, private ReplyTarget {
 public:
  // What the context refers to and `worker` outlive the warm-up. The options are the worker's own,
  // which may not be in force yet.
  WarmUp(const ExchangeContext& context, Worker& worker)
      : context_{context.loop, context.dispatcher, context.record, worker.pool(), context.settings},
        worker_(worker) {}

  Worker& worker() const { return worker_; }
  // Goes on as far as it can without waiting; to be called in every turn until it is over.
  void advance();
  bool over() const { return over_; }
  // Why the worker must not serve; empty when it may.
  const std::string& problem() const { return problem_; }

 private:
  // ExchangeOwner
  ReplyTarget& target(Exchange&) override { return *this; }
  void complete(Exchange& exchange) override;
  void cut(Exchange& exchange) override;
  // ReplyTarget: the head is kept, the body is dropped.
  void send(std::string_view bytes) override;
  void send_file(std::shared_ptr<pyhost::UniqueFd>, std::uint64_t, std::uint64_t) override {}
  std::uint64_t pending() const override { return 0; }

  void ask();
  void fail(std::string_view what);

  ExchangeContext context_;
  Worker& worker_;
  std::unique_ptr<Exchange> exchange_;  // null between two requests
  std::string head_;
  std::size_t next_ = 0;  // index into option warmup
  bool over_ = false;
  std::string problem_;
};

}  // namespace pycgid
