// The answer to one request on its way to the gateway. Head and body stay apart until the first
// byte of the body, as PEP 3333 asks: until then start_response may replace the head, and an error
// is a clean 500. One object serves a thread's requests one after the other. Attached; a call that
// has to wait for room detaches meanwhile, so its bytes must be owned by the caller.
#pragma once

#include "pyhost/channel.h"
#include "pyhost/response_head.h"

#include <cstdint>
#include <string_view>

namespace pyhost {

class Response {
 public:
  enum class Sent {
    ok,
    gone,    // nobody reads the answer any more
    surplus  // bytes beyond the Content-Length, which were dropped
  };

  explicit Response(WorkerEnd& worker) : worker_(worker) {}

  void begin(std::uint32_t slot);

  ResponseHead& head() { return head_; }
  bool head_sent() const { return head_sent_; }
  bool aborted() const { return worker_.aborted(slot_); }

  // Adds a piece of the body, and the head before the first one: start_response must have been
  // called. The gateway sees it at the next show(), or when the ring is full. With the last byte of
  // the Content-Length the answer ends, so that nobody waits for what the application does after.
  Sent add(std::string_view bytes);
  // The same from a regular file, sent by the gateway. False: nothing was added, send the bytes.
  bool add_file(int fd, FileRange range);
  void show();

  // Ends the answer, unless it has ended, and shows it. A complete one has a head.
  void end(EndKind kind);

 private:
  // How many bytes of the Content-Length are still to come.
  std::uint64_t wanted() const;
  void count(std::uint64_t bytes);
  bool push_head();
  bool push(BlockType type, std::string_view bytes);
  void end_body(EndKind kind);

  WorkerEnd& worker_;
  ResponseHead head_;
  std::uint32_t slot_ = 0;
  std::uint64_t sent_ = 0;  // bytes of the body
  bool head_sent_ = false;
  bool ended_ = false;
  bool shown_ = true;  // nothing waits for publish()
};

}  // namespace pyhost
