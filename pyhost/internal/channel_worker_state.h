// What the worker's end keeps to itself, shared by WorkerEnd and the Intakes of its threads.
#pragma once

#include "pyhost/channel.h"
#include "pyhost/internal/channel_fork.h"
#include "pyhost/internal/channel_map.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace pyhost {

// The positions in the answer belong to who writes it, those in the body to who reads it.
struct alignas(kCacheLine) WorkerSlot {
  std::uint16_t generation = 0;
  bool file_sent = false;
  std::uint32_t response_tail = 0;  // with what publish() has not shown yet
  std::uint32_t response_shown = 0;
  std::uint32_t body_head = 0;
  std::uint32_t body_reported = 0;  // body_head when the gateway was last told
};

// A body's descriptor that arrived while another slot's was looked for.
struct ArrivedFile {
  std::uint32_t generation = 0;
  UniqueFd fd;
};

struct WorkerEnd::State {
  State(ChannelMap mapping, ChannelFds fds)
      : map(std::move(mapping)),
        bell(std::move(fds.bell)),
        passing(std::move(fds.passing)),
        slots(map.sizes().slots),
        arrived(map.sizes().slots) {}

  // Whether the submission ring has entries; some may have been revoked.
  bool work_waits() const { return queued() != 0; }
  std::uint32_t queued() const {
    std::uint32_t head = map.board().queue_head.load();
    return queued_behind(head);
  }
  // How many entries there are behind `head`, which is read again when other threads have moved it
  // far. More than the ring has, while it stands still, is what no gateway writes: nothing.
  std::uint32_t queued_behind(std::uint32_t& head) const {
    for (;;) {
      const std::uint32_t count = map.board().queue_tail.load() - head;
      if (count <= map.queue_entries()) return count;
      const std::uint32_t again = map.board().queue_head.load();
      if (again == head) return 0;
      head = again;
    }
  }
  bool stopping() const { return map.board().stopping.load() != 0 || closed.load(); }
  bool aborted(std::uint32_t slot) const {
    return map.control(slot).interest.load() == Interest::none || closed.load();
  }

  bool satisfied(std::uint32_t slot) const {
    return map.control(slot).interest.load() == Interest::satisfied;
  }

  // A demand that nobody has taken yet, of a request that runs.
  std::optional<RequestDemand> take_demand();

  // Submission ring: the oldest entry, and whether what it names is still to be had.
  std::optional<std::uint32_t> pop();
  bool claim(std::uint32_t entry);
  TakenRequest begin(std::uint32_t entry);
  // Wakes threads until one is on its way or nothing waits.
  void wake_another();

  // Body ring: what is to be read; more than it holds is what no gateway writes.
  std::uint32_t unread_body(std::uint32_t slot) const {
    return map.control(slot).body_tail.load() - slots[slot].body_head;
  }

  // Response ring.
  std::uint32_t response_free(std::uint32_t slot) const;
  void put_block(std::uint32_t slot, BlockType type, std::string_view bytes);
  enum class Occasion { answer, end, wait };
  // Tells the gateway to look at the slot; wakes it if it wants to be woken for that.
  void mark_ready(std::uint32_t slot, Occasion occasion);
  bool rings_for(Sleep sleep, Occasion occasion) const;
  void ring();
  // The socket, made sure of.
  int passing_fd();

  // A moment that is noted once, by whoever is first; in ticks of the clock.
  using Moment = std::chrono::steady_clock::rep;
  static constexpr Moment kNever = 0;
  static Moment note_now(std::atomic<Moment>& moment) {
    const Moment now = std::chrono::steady_clock::now().time_since_epoch().count();
    Moment noted = kNever;
    return moment.compare_exchange_strong(noted, now) ? now : noted;
  }

  // Sleeps until `enough` holds or the request is aborted; the gateway wakes who is there after
  // each store that can make it so. Any number of threads.
  template <class Condition>
  void wait(std::uint32_t slot, Waiting there, Condition enough);

  // Takes all descriptors off the socket. A slot's come in the order of its generations, so the
  // last one is the one to keep.
  void collect_files();
  void drop_file(std::uint32_t slot, std::uint16_t generation);

  ChannelMap map;
  UniqueFd bell;
  UniqueFd passing;
  ForkGuard fork_guard{passing};
  std::atomic<bool> closed{false};  // the gateway is gone, or requests do not end
  std::atomic<Moment> gateway_gone_since{kNever};
  std::atomic<Moment> overdue_since{kNever};
  std::atomic<std::uint32_t> intakes{0};
  std::vector<WorkerSlot> slots;
  std::mutex files_mutex;
  std::vector<ArrivedFile> arrived;  // guarded by files_mutex, one for each slot
};

}  // namespace pyhost
