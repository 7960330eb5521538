// Where wsgi.input gets its bytes: nowhere, from the request area, from the channel's body ring or
// from a file. No Python; the functions that block say so, call them without the GIL.
#pragma once

#include "pyhost/buffer.h"
#include "pyhost/channel.h"
#include "pyhost/mutex.h"
#include "pyhost/unique_fd.h"

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

namespace pyhost {

class Body {
 public:
  enum class Got {
    bytes,       // one at least
    end,         // the body is over, and whole
    broken,      // the front went away before its end
    unreadable,  // the file that has it cannot be read, see error()
    no_memory,   // for what a line has so far
    closed       // the request is over, and with it the body
  };

  // `worker` outlives the body; so do the views of `request`, until close().
  Body(WorkerEnd& worker, const TakenRequest& request);

  // The second stream of a Filter (FastCGI 1.0 section 6.4), which stands in one body behind the
  // first: `front` keeps the bytes before `at`, this one has the others. Not for a ring.
  Body(Body& front, std::uint64_t at);

  // Held around every other call: an application may read in a thread of its own, and that thread
  // must not reach into the next request when this one ends.
  Mutex& mutex() { return mutex_; }

  // In a fork of the worker: whether a call may be made, and whether what it read was still this
  // request's when it had read it. The ring is the parent's alone, and the parent may end the
  // request meanwhile.
  bool readable_in_fork() const { return source_ != BodyMode::ring; }
  bool is_current() const { return worker_.runs(slot_, generation_); }
  bool forked() const { return worker_.forked(); }

  // What is at hand without asking anybody. Valid until the next call.
  std::string_view window() const { return window_; }
  void consume(std::size_t bytes) { window_.remove_prefix(bytes); }
  // Whether there can be more than the window.
  bool may_grow() const { return source_ != BodyMode::none; }
  // Whether read() may have to wait for the client.
  bool is_live() const { return source_ == BodyMode::ring; }
  // How much may come behind the window; a guess for a ring.
  std::uint64_t expected() const;

  // Reads past the window, which must be empty. Blocks.
  Got read(std::span<char> into, std::size_t& count);
  // Adds to the window. Blocks.
  Got fill();

  // The slot is about to be the gateway's again.
  void close();
  bool closed() const { return closed_; }
  std::uint32_t slot() const { return slot_; }
  // Why it is unreadable, as errno has it.
  int error() const { return error_; }

 private:
  Got read_ring(std::span<char> into, std::size_t& count);
  Got read_file(std::span<char> into, std::size_t& count);

  Mutex mutex_;
  WorkerEnd& worker_;
  std::string_view window_;           // of the request area or of buffer_
  Buffer buffer_;                     // read ahead, for lines
  BodyMode source_;                   // ring or file; none: the window is all there is
  std::atomic<bool> closed_ = false;  // also read without the mutex
  std::atomic<int> error_{0};
  std::uint32_t slot_;
  std::uint16_t generation_;
  UniqueFd file_;
  std::uint64_t offset_ = 0;  // in the file
  std::uint64_t length_ = 0;  // of the body, or kUnknownLength
};

}  // namespace pyhost
