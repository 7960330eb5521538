#include "pyhost/response.h"

#include "pyhost/gil.h"

#include <algorithm>

namespace pyhost {

// Without the mutex: who holds an old ticket looks at nothing but the ticket, and nobody has the
// new one yet.
void Response::begin(std::uint32_t slot) {
  head_.clear();
  after_run_.reset();
  slot_ = slot;
  sent_ = 0;
  head_sent_ = false;
  ended_ = false;
  shown_ = true;
  // In this order, as is_over() looks the other way round: who sees the response open again sees
  // the new ticket, too, without a GIL as well.
  ticket_.fetch_add(1, std::memory_order_relaxed);
  closing_.store(false, std::memory_order_release);
}

bool Response::is_over(Ticket ticket) const {
  return closing_.load(std::memory_order_acquire) ||
         ticket_.load(std::memory_order_relaxed) != ticket;
}

std::uint64_t Response::wanted() const {
  return head_.content_length() ? *head_.content_length() - sent_ : kUnknownLength;
}

// --- the head ------------------------------------------------------------------------------------

Response::Start Response::may_start(Ticket ticket, bool replace) const {
  if (is_over(ticket)) return Start::over;
  if (replace) return head_sent_ ? Start::late : Start::ok;
  return head_.is_set() ? Start::second : Start::ok;
}

Response::Start Response::lend_head(Ticket ticket, bool replace, ResponseHead& head) {
  if (worker_.forked()) return Start::ok;
  if (is_over(ticket)) return Start::over;
  const AttachedLock lock(mutex_);
  const Start start = may_start(ticket, replace);
  if (start == Start::ok) head.swap(spare_);
  return start;
}

Response::Start Response::set_head(Ticket ticket, bool replace, ResponseHead& head) {
  if (worker_.forked()) return Start::ok;
  if (is_over(ticket)) return Start::over;
  const AttachedLock lock(mutex_);
  const Start start = may_start(ticket, replace);
  if (start != Start::ok) return start;
  head.swap(head_);
  head.swap(spare_);
  return start;
}

bool Response::push_head() {
  if (head_sent_) return true;
  head_sent_ = true;
  return push(BlockType::head, head_.render());
}

// --- the body ------------------------------------------------------------------------------------

Response::Sent Response::add(const Block& block) {
  if (worker_.forked()) return Sent::gone;
  const AttachedLock lock(mutex_);
  if (block.only && head_.is_set() && !head_sent_) head_.offer_content_length(block.bytes.size());
  const Sent sent = send(block.bytes);
  if (block.show) show();
  return sent;
}

Response::Sent Response::write(Ticket ticket, std::string_view bytes) {
  if (worker_.forked()) return Sent::gone;
  if (is_over(ticket)) return Sent::over;
  const AttachedLock lock(mutex_);
  if (is_over(ticket)) return Sent::over;
  const Sent sent = send(bytes);
  show();
  if (sent != Sent::ok) return sent;
  if (worker_.aborted(slot_)) return Sent::gone;
  return satisfied() && after_run_.is_over() ? Sent::enough : Sent::ok;
}

Response::Sent Response::send(std::string_view bytes) {
  if (!head_.is_set()) return Sent::no_head;
  const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), wanted()));
  const std::string_view fitting = bytes.substr(0, room);
  if (!push_head() || !push(BlockType::body, fitting)) return Sent::gone;
  count(fitting.size());
  return fitting.size() < bytes.size() ? Sent::surplus : Sent::ok;
}

bool Response::add_file(int fd, FileRange range) {
  if (worker_.forked()) return false;
  const AttachedLock lock(mutex_);
  if (!head_.is_set()) return false;
  if (!head_sent_) head_.offer_content_length(range.length);
  range.length = std::min(range.length, wanted());
  if (range.length == 0) return true;
  if (!push_head()) return false;
  if (!satisfied() && !worker_.write_file(slot_, fd, range)) return false;
  shown_ = false;
  count(range.length);
  return true;
}

void Response::count(std::uint64_t bytes) {
  sent_ += bytes;
  if (wanted() == 0) end_body(EndKind::complete);
}

bool Response::push(BlockType type, std::string_view bytes) {
  if (satisfied()) return true;
  bytes.remove_prefix(worker_.write(slot_, type, bytes));
  shown_ = false;
  if (bytes.empty()) return true;
  const Detach detach;
  do {
    worker_.publish(slot_);
    worker_.wait_room(slot_);
    if (worker_.aborted(slot_)) return false;
    if (satisfied()) return true;
    bytes.remove_prefix(worker_.write(slot_, type, bytes));
  } while (!bytes.empty());
  return true;
}

void Response::show() {
  if (shown_) return;
  shown_ = true;
  worker_.publish(slot_);
}

// --- the end -------------------------------------------------------------------------------------

// Threads that write one block after the other cannot keep the end from its turn: after `closing_`
// there is one in the mutex at most, and those behind it find out.
bool Response::end(EndKind kind) {
  closing_.store(true, std::memory_order_relaxed);
  const AttachedLock lock(mutex_);
  if (kind == EndKind::complete) {
    if (!head_.is_set()) return false;
    if (!push_head()) kind = EndKind::failed;
  }
  end_body(kind);
  show();
  return true;
}

void Response::end_body(EndKind kind) {
  if (ended_) return;
  ended_ = true;
  worker_.write_end(slot_, kind);
  shown_ = false;
}

}  // namespace pyhost
