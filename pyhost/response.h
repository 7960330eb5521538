// The answer to one request on its way to the gateway. Head and body stay apart until the first
// byte of the body, as PEP 3333 asks: until then start_response may replace the head, and an error
// is a clean 500.
//
// One object serves a thread's requests one after the other. An application may keep start_response
// and write(), and call them from any thread at any time: each call shows the ticket of its
// request, and after end() a ticket is worth nothing, whatever request the slot has then. A mutex
// keeps the blocks of several threads whole and in order. It is held while a thread waits for room
// in the ring; end() waits for that thread, and the abort of the request wakes it. In a fork of the
// worker, where it may be held for ever by a thread that is not there, heads go nowhere and all
// else is refused. Attached; a call that has to wait detaches meanwhile, so its bytes must be owned
// by the caller.
#pragma once

#include "pyhost/after_run.h"
#include "pyhost/channel.h"
#include "pyhost/mutex.h"
#include "pyhost/response_head.h"

#include <atomic>
#include <cstdint>
#include <string_view>

namespace pyhost {

class Response {
 public:
  using Ticket = std::uint64_t;

  enum class Sent {
    ok,
    gone,     // nobody reads the answer any more
    surplus,  // bytes beyond the Content-Length, which were dropped
    enough,   // the front has the whole answer, and the application had its time to finish
    no_head,  // start_response was not called
    over      // the request has ended; it was another one's ticket
  };

  explicit Response(WorkerEnd& worker) : worker_(worker) {}

  // --- the request's own thread ----------------------------------------------------------------
  // The last request has ended.
  void begin(std::uint32_t slot);
  Ticket ticket() const { return ticket_.load(std::memory_order_relaxed); }
  std::uint32_t slot() const { return slot_; }
  bool aborted() const { return worker_.aborted(slot_); }
  // The front has the whole answer: what is added is checked and counted as ever, and dropped.
  bool satisfied() const { return worker_.satisfied(slot_); }

  // Adds a block of the body, and the head before the first one. With the last byte of the
  // Content-Length the answer ends, so that nobody waits for what the application does after.
  struct Block {
    std::string_view bytes;
    bool only = false;  // there is no other: its size is the Content-Length
    bool show = true;   // to the gateway, at once; else with the next that is shown, at the latest
  };
  Sent add(const Block& block);
  // The same from a regular file, sent by the gateway. False: nothing was added, send the bytes.
  bool add_file(int fd, FileRange range);

  // Ends the answer, unless it has ended, and shows it. From then on no thread reaches it any more.
  // False: it cannot be complete without a head.
  bool end(EndKind kind);

  // --- any thread, for the application ---------------------------------------------------------
  // Sends at once. Only here an application is told that it goes on for too long when it is
  // satisfied(), by an error that it may take for the end of its client.
  Sent write(Ticket ticket, std::string_view bytes);

  enum class Start {
    ok,
    second,  // there is a head, which is not to be replaced
    late,    // the head has left
    over     // the request has ended
  };
  // Whether there may be a (new) head; gives memory for it.
  Start lend_head(Ticket ticket, bool replace, ResponseHead& head);
  // Takes it back, as the response's head.
  Start set_head(Ticket ticket, bool replace, ResponseHead& head);

 private:
  bool is_over(Ticket ticket) const;
  // All that follow: with the mutex held.
  Start may_start(Ticket ticket, bool replace) const;
  Sent send(std::string_view bytes);
  // How many bytes of the Content-Length are still to come.
  std::uint64_t wanted() const;
  void count(std::uint64_t bytes);
  bool push_head();
  bool push(BlockType type, std::string_view bytes);
  void end_body(EndKind kind);
  void show();

  WorkerEnd& worker_;
  std::uint32_t slot_ = 0;
  std::atomic<Ticket> ticket_{0};    // written by begin()
  std::atomic<bool> closing_{true};  // end() was called: who comes now comes too late

  Mutex mutex_;
  static constexpr std::chrono::seconds kWritesGoOn{5};

  // Guarded by mutex_:
  AfterRun after_run_{kWritesGoOn};
  ResponseHead head_;
  ResponseHead spare_;      // memory for the next head
  std::uint64_t sent_ = 0;  // bytes of the body
  bool head_sent_ = false;
  bool ended_ = false;
  bool shown_ = true;  // nothing waits for publish()
};

}  // namespace pyhost
