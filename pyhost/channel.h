// The one door between the gateway and a worker: shared memory with a fixed number of slots, each
// holding one request and its answer, and a socket pair for descriptors. No Python here.
//
//   gateway                            shared memory                           worker
//   request_area, submit  ----------->  submission ring, slot   ------------>  Intake::try_take
//   write_body, end_body  ----------->  slot's body ring        ------------>  read_body
//   demand                ----------->  slot's demand           ------------>  wait_demand
//   peek, consume         <-----------  slot's response ring    <------------  write, publish
//   release               <-----------  phase done              <------------  finish
//
// A slot's life:  free -submit-> queued -try_take-> taken -finish-> done -release-> free
//                                queued -revoke-> free   (the gateway takes it back)
// Only the gateway decides who owns a slot: it keeps its own copy of phase and generation. Every
// value that the worker writes is copied once and then checked. No lock is shared between the
// processes, every ring has one writer: each side survives the other's kill -9 at any instruction.
#pragma once

#include "pyhost/unique_fd.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

namespace pyhost {

inline constexpr std::uint32_t kMaxSlots = 1024;
inline constexpr std::uint64_t kUnknownLength = ~std::uint64_t{0};

struct ChannelSizes {
  std::uint32_t slots = 1;                    // 1 to kMaxSlots
  std::uint32_t request_bytes = 512 * 1024;   // params and an inlined body of one request
  std::uint32_t body_bytes = 64 * 1024;       // body ring, a power of two
  std::uint32_t response_bytes = 128 * 1024;  // response ring, a power of two
};

// One side's descriptors. `memory` is a sealed memfd (it can neither shrink nor grow), `bell` an
// eventfd by which the worker wakes the gateway, `passing` one end of a SOCK_SEQPACKET pair that
// carries descriptors and whose hang-up tells that the other side is gone.
struct ChannelFds {
  UniqueFd memory;
  UniqueFd bell;
  UniqueFd passing;
};

struct ChannelPair {
  ChannelFds gateway;
  ChannelFds worker;
};

// Makes a channel; all descriptors are CLOEXEC. Called by the master for each worker.
std::error_code create_channel(const ChannelSizes& sizes, ChannelPair& pair);

enum class BodyMode : std::uint32_t {
  none,     // there is no body
  inlined,  // behind the params in the request area
  ring,     // comes through the body ring; body_bytes is its length or kUnknownLength
  file      // a descriptor, positioned at 0, comes by pass_file; body_bytes is its length
};

struct RequestHead {
  std::uint32_t params_bytes = 0;
  BodyMode body = BodyMode::none;
  std::uint64_t body_bytes = 0;
};

enum class BlockType : std::uint8_t {
  head = 1,  // a piece of the CGI response head, "Name: value\r\n" lines and the empty line
  body = 2,  // a piece of the response body
  file = 3,  // a FileRange; the descriptor was sent before by pass_file
  end = 4    // the answer is over; one byte: EndKind
};

enum class EndKind : std::uint8_t {
  complete = 0,  // everything that the application wanted to send
  failed = 1     // the application failed; answer 500, or cut the response if it has begun
};

struct FileRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// A piece of one block of the response. `bytes` points into memory that the worker can change at
// any time: copy, then judge. A block may come in several pieces.
struct Block {
  BlockType type = BlockType::body;
  std::string_view bytes;
};

enum class Phase : std::uint8_t { free, queued, taken, done };

// What the gateway asks of the worker about a request that runs for too long.
enum class Demand : std::uint8_t {
  none = 0,
  stack = 1,    // log where its thread is
  timeout = 2,  // that, and raise RequestTimeout in it
  cut = 3       // likewise, because its worker is to end
};

// How the gateway sleeps: what a worker wakes it for. The rest it finds when it is awake again.
enum class Sleep : std::uint32_t {
  awake = 0,
  until_event,   // whatever a thread of the worker does
  until_answer,  // a piece of an answer, or a thread that waits for the gateway; the end of a
                 // request, which only frees a slot, is nothing to wake for
  nap            // a thread that waits, or a queue that runs short: a gateway that naps wakes by
                 // itself, soon, and finds several answers at once
};

class ChannelMap;  // the mapping, see pyhost/internal/channel_map.h

// The gateway's side. One thread. Nothing here blocks, nothing throws after open().
class GatewayEnd {
 public:
  static std::unique_ptr<GatewayEnd> open(ChannelFds fds, std::error_code& error);
  ~GatewayEnd();
  GatewayEnd(const GatewayEnd&) = delete;
  GatewayEnd& operator=(const GatewayEnd&) = delete;

  std::uint32_t slots() const;

  // --- a request; the slot must be free -----------------------------------------------------
  // Where the params and, directly behind them, an inlined body are to be written.
  std::span<char> request_area(std::uint32_t slot);
  // False while the submission ring has no room (a worker that takes nothing any more).
  bool can_submit() const;
  // Hands the slot to the worker, whose threads that sleep go on sleeping until wake(): a wake-up
  // for each of several requests would cost more than all the rest.
  void post(std::uint32_t slot, const RequestHead& head);
  // Wakes a thread of the worker for what was posted, when one sleeps and none is on its way.
  void wake();
  // Whether a thread that takes a request wakes another one when more are queued, as it does from
  // the start. Otherwise only wake() wakes, and whoever said so sees to it that the queue gets on.
  void wake_for_each(bool yes);
  // Threads that sleep, as the worker says.
  std::uint32_t sleepers() const;
  // Requests that threads have taken off the queue, modulo 2^32, and those that are in it, as the
  // worker says; revoked ones are among both.
  struct Queue {
    std::uint32_t taken = 0;
    std::uint32_t waiting = 0;
  };
  Queue queue() const;
  // post() and wake().
  void submit(std::uint32_t slot, const RequestHead& head) {
    post(slot, head);
    wake();
  }
  // Takes a queued request back. False: a thread of the worker has it already.
  bool revoke(std::uint32_t slot);
  // Sends a body's descriptor; before submit(). False when the socket has no room or is dead.
  bool pass_file(std::uint32_t slot, int fd);

  // --- the body ring (BodyMode::ring) ----------------------------------------------------------
  // Returns how many bytes were taken, at most what fits. take_ready reports the slot when the
  // worker waits for more, and when it has read half a ring since the last report. Both functions
  // may be called before submit, too.
  std::size_t write_body(std::uint32_t slot, std::string_view bytes);
  // No more bytes follow. `whole` false: the front broke off; read() raises OSError.
  void end_body(std::uint32_t slot, bool whole);

  // --- the answer ---------------------------------------------------------------------------
  // Slots that the worker has touched since the last call, each once, as bits.
  using ReadySet = std::array<std::uint64_t, kMaxSlots / 64>;
  // False when none was.
  bool take_ready(ReadySet& ready);

  enum class Peek { empty, block, violation };
  // The next piece of the answer. `violation`: the worker wrote nonsense; kill it.
  Peek peek(std::uint32_t slot, Block& block);
  // Frees the first `bytes` of the piece that peek gave; a waiting worker is woken.
  void consume(std::uint32_t slot, std::size_t bytes);
  // The descriptor, of a regular file, that belongs to a `file` block. Empty: a violation.
  UniqueFd receive_file(std::uint32_t slot);

  // What the worker says; never a phase that cannot follow from ours (nonsense counts as taken).
  Phase phase(std::uint32_t slot) const;
  // Which word of the worker's was seen that cannot be: its place in the queue or in a body, or a
  // slot's state. It is not believed, but a worker that writes it is of no use: kill it. Empty as
  // long as there was none.
  std::string_view nonsense() const;
  // The front does not want this answer any more: the next write or read of the worker fails.
  void abort(std::uint32_t slot);
  // The front has all that it may get (HEAD, 204, 304), and the worker may go on: what it writes is
  // dropped there, without an error. What was not yet told of the body is not told any more.
  void satisfy(std::uint32_t slot);
  // Reaches the worker as long as the request runs; the last demand counts.
  void demand(std::uint32_t slot, Demand demand);
  // A done slot is free again.
  void release(std::uint32_t slot);

  // There will be no more requests before long: the application may ask for that.
  void announce_end();
  // The worker takes too long to end, and is killed soon: it tells what is left of it.
  void announce_overdue();
  // No more requests will come: threads leave park() and the worker ends when it is idle.
  void stop();
  // The worker has said ask_for_successor(); take_ready reports some slot then.
  bool wants_successor() const;

  // --- sleeping -------------------------------------------------------------------------------
  // Before blocking: returns false when something is ready already. After it: woke(), which does
  // no harm without a sleep before it. A queue of `reserve` requests or fewer ends a nap.
  bool prepare_sleep(Sleep sleep = Sleep::until_event, std::uint32_t reserve = 0);
  void woke();

  // Readable when the worker rang; woke() empties it.
  int bell_fd() const;
  // Hangs up when the worker is gone.
  int passing_fd() const;

 private:
  struct State;
  explicit GatewayEnd(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A request that a thread of the worker has taken. Views live until finish(slot).
struct TakenRequest {
  std::uint32_t slot = 0;
  std::uint16_t generation = 0;  // tells it from other requests in this slot
  RequestHead head;
  std::string_view params;
  std::string_view inlined_body;
};

// The worker's side, shared by its request threads. Of each slot one thread at a time reads the
// body and one, the same or another, writes the answer; both have left it before finish().
// Functions that block say so; call them without the GIL.
class WorkerEnd {
 public:
  static std::unique_ptr<WorkerEnd> open(ChannelFds fds, std::error_code& error);
  ~WorkerEnd();
  WorkerEnd(const WorkerEnd&) = delete;
  WorkerEnd& operator=(const WorkerEnd&) = delete;

  // --- the body (BodyMode::ring and file) -----------------------------------------------------
  enum class BodyState { more, end, broken };
  // Copies what is there, without blocking; 0 does not mean the end, body_state does.
  std::size_t read_body(std::uint32_t slot, std::span<char> into);
  // `end` and `broken` only when the ring is empty.
  BodyState body_state(std::uint32_t slot) const;
  // Blocks until there is something to read, the body has ended, or the request was aborted.
  void wait_body(std::uint32_t slot);
  // The descriptor of a BodyMode::file body; it is there already when the request is taken.
  UniqueFd receive_file(std::uint32_t slot);

  // --- the answer ---------------------------------------------------------------------------
  // Writes as much of `bytes` as fits, without blocking, and returns how much. Not seen by the
  // gateway before publish().
  std::size_t write(std::uint32_t slot, BlockType type, std::string_view bytes);
  // Room for an `end` or a `file` block is always kept by write(), so that these do not block.
  void write_end(std::uint32_t slot, EndKind kind);
  // Sends a descriptor of a regular file and its range, once in an answer. False: send its bytes
  // yourself.
  bool write_file(std::uint32_t slot, int fd, const FileRange& range);
  // Shows all that was written to the gateway and wakes it when it sleeps.
  void publish(std::uint32_t slot);
  // Blocks until there is room in the response ring, or the request was aborted or satisfied.
  // Publishes what was written, and once it has to wait it waits for half a ring.
  void wait_room(std::uint32_t slot);

  // The front is gone, or the gateway is: nothing that is written will be read.
  bool aborted(std::uint32_t slot) const;
  // The front has its whole answer: what is written is not to go into the ring any more.
  bool satisfied(std::uint32_t slot) const;
  // Whether this request is not over; in a fork of the worker, too.
  bool runs(std::uint32_t slot, std::uint16_t generation) const;
  // The slot is the gateway's again, once it has read the answer.
  void finish(std::uint32_t slot);

  struct RequestDemand {
    std::uint32_t slot = 0;
    std::uint16_t generation = 0;  // as in TakenRequest
    Demand demand = Demand::none;
  };
  // Blocks until the gateway demands something of a request that a thread has taken; that may be
  // over when this returns. Nothing when the gateway is gone. For a thread of its own, without the
  // GIL.
  std::optional<RequestDemand> wait_demand();

  // This worker is to be replaced. Async-signal-safe.
  void ask_for_successor();

  // Blocks until the gateway's end is closed, then fails all waiting calls and stops all Intakes.
  // For a thread of its own, without Python.
  void watch_gateway();
  // The same at once, when requests do not end though they were cut.
  void close();
  bool stopping() const;
  // The same before long; what the application is told.
  bool will_stop() const;
  struct Overdue {
    bool gateway_gone = false;
    std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
  };
  // Blocks until the worker takes too long to end, as its requests were cut, or its gateway is
  // gone; close() is neither. Every thread is told the same moment: when the first of them was
  // told, or the gateway was seen to be gone. For a thread of its own, without the GIL.
  Overdue wait_overdue();
  // This process is a fork of the worker, not the worker: it must not answer requests.
  bool forked() const;

 private:
  friend class Intake;
  struct State;
  explicit WorkerEnd(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// How one request thread gets its work. At most one woken thread at a time is on its way to the
// GIL (the "gate"): more would only form a convoy (INTERPRETERS.md 2.2). A thread that ends a
// request calls try_take() at once, with the GIL still held, and parks only when that gives
// nothing.
class Intake {
 public:
  // The earlier an Intake is made, the sooner it is woken.
  explicit Intake(WorkerEnd& worker);

  // Takes the oldest queued request, without blocking. If more are queued and nobody is at the
  // gate, wakes another thread.
  std::optional<TakenRequest> try_take();

  // Whether try_take() would probably find something; without the GIL, before asking for it.
  bool work_waits() const;

  // Blocks, without the GIL, until there may be work (true) or the worker is to end (false).
  // Returns also when a signal arrives, so that Python's handlers can run.
  bool park();

 private:
  WorkerEnd& worker_;
  std::uint32_t seat_;
  bool at_gate_ = false;
};

}  // namespace pyhost
