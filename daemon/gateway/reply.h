// The answer to one request on its way from a worker's slot to the front server: the head is
// checked, the body held to its Content-Length, files are cut into pieces. What the worker wrote is
// not trusted.
#pragma once

#include "daemon/gateway/response_head.h"
#include "pyhost/channel.h"
#include "pyhost/unique_fd.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace pycgid {

// Where an answer goes: a connection, which frames it for its protocol. Nothing is sent before the
// end of the loop's turn, so none of these fails or calls back.
class ReplyTarget {
 public:
  virtual void send(std::string_view bytes) = 0;
  virtual void send_file(std::shared_ptr<pyhost::UniqueFd> file, std::uint64_t offset,
                         std::uint64_t length) = 0;
  // Bytes that the front has not taken yet.
  virtual std::uint64_t pending() const = 0;

 protected:
  ~ReplyTarget() = default;
};

class Reply {
 public:
  enum class Progress {
    waiting,   // for the worker
    more,      // for the next turn: the worker has written, and others are to be served, too
    no_room,   // for the front to take what is pending
    complete,  // all is handed to the target
    cut,       // it has begun and cannot be completed; problem() says why
    failed,    // nothing was sent and nothing can be: answer 500. problem(), if not empty, says why
    violation  // the worker wrote nonsense; problem() says what
  };

  void clear();
  // The answer to a HEAD request: its body is dropped.
  void drop_body() { drop_body_ = true; }
  // Some of it was handed to the target.
  bool started() const { return head_sent_; }

  // Takes what the slot has while the target has less than `room` bytes pending.
  Progress take(pyhost::GatewayEnd& channel, std::uint32_t slot, ReplyTarget& target,
                std::uint64_t room);
  // Goes on without the slot, once ended(): hands over what is left of a file.
  Progress resume(ReplyTarget& target, std::uint64_t room);
  // The worker's end of it was read: nothing more will come from the slot.
  bool ended() const { return ended_; }
  // The front has all that it may get (HEAD, 204, 304, Content-Length), before the worker's end.
  bool satisfied() const { return satisfied_ && file_left_ == 0; }

  const std::string& problem() const { return problem_; }
  // More was written than Content-Length said; it was cut.
  bool had_surplus() const { return surplus_; }
  // Those of what was handed to the target, once started().
  int status() const { return head_.status(); }
  // A hop-by-hop header that the application set; empty: none.
  const std::string& dropped_header() const { return head_.dropped(); }
  std::string_view head_text() const { return head_.text(); }
  std::uint64_t body_bytes() const { return body_bytes_; }

 private:
  Progress take_block(pyhost::GatewayEnd& channel, std::uint32_t slot, ReplyTarget& target);
  Progress use(const pyhost::Block& block, pyhost::GatewayEnd& channel, std::uint32_t slot,
               ReplyTarget& target);
  Progress take_head(std::string_view bytes);
  Progress take_body(std::string_view bytes, ReplyTarget& target);
  Progress take_file(pyhost::GatewayEnd& channel, std::uint32_t slot, std::string_view bytes,
                     ReplyTarget& target);
  Progress take_end(std::string_view bytes, ReplyTarget& target);
  Progress finish();
  Progress send_head(ReplyTarget& target);
  void send_file_pieces(ReplyTarget& target, std::uint64_t room);
  std::uint64_t allowed(std::uint64_t bytes);
  Progress stop(Progress how, std::string why);

  ResponseHead head_;
  std::shared_ptr<pyhost::UniqueFd> file_;
  std::uint64_t file_offset_ = 0;
  std::uint64_t file_left_ = 0;
  std::uint64_t body_bytes_ = 0;
  std::size_t taken_ = 0;  // of the ring, in this turn
  std::string problem_;
  bool head_sent_ = false;
  bool drop_body_ = false;
  bool ended_ = false;
  bool satisfied_ = false;  // the front has all that it may get, whatever the worker goes on with
  bool surplus_ = false;
  bool worker_failed_ = false;
};

}  // namespace pycgid
