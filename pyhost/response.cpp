#include "pyhost/response.h"

#include "pyhost/gil.h"

#include <algorithm>

namespace pyhost {

void Response::begin(std::uint32_t slot) {
  head_.clear();
  slot_ = slot;
  sent_ = 0;
  head_sent_ = false;
  ended_ = false;
  shown_ = true;
}

std::uint64_t Response::wanted() const {
  return head_.content_length() ? *head_.content_length() - sent_ : kUnknownLength;
}

Response::Sent Response::add(std::string_view bytes) {
  if (worker_.forked()) return Sent::gone;
  const std::string_view fitting = bytes.substr(0, std::min<std::uint64_t>(bytes.size(), wanted()));
  if (!push_head() || !push(BlockType::body, fitting)) return Sent::gone;
  count(fitting.size());
  return fitting.size() < bytes.size() ? Sent::surplus : Sent::ok;
}

bool Response::add_file(int fd, FileRange range) {
  range.length = std::min(range.length, wanted());
  if (range.length == 0) return true;
  if (!push_head() || !worker_.write_file(slot_, fd, range)) return false;
  shown_ = false;
  count(range.length);
  return true;
}

void Response::count(std::uint64_t bytes) {
  sent_ += bytes;
  if (wanted() == 0) end_body(EndKind::complete);
}

void Response::show() {
  if (shown_) return;
  shown_ = true;
  worker_.publish(slot_);
}

void Response::end(EndKind kind) {
  if (kind == EndKind::complete && !push_head()) kind = EndKind::failed;
  end_body(kind);
  show();
}

void Response::end_body(EndKind kind) {
  if (ended_) return;
  ended_ = true;
  worker_.write_end(slot_, kind);
  shown_ = false;
}

bool Response::push_head() {
  if (head_sent_) return true;
  head_sent_ = true;
  return push(BlockType::head, head_.render());
}

bool Response::push(BlockType type, std::string_view bytes) {
  bytes.remove_prefix(worker_.write(slot_, type, bytes));
  shown_ = false;
  if (bytes.empty()) return true;
  const Detach detach;
  do {
    worker_.publish(slot_);
    worker_.wait_room(slot_);
    if (worker_.aborted(slot_)) return false;
    bytes.remove_prefix(worker_.write(slot_, type, bytes));
  } while (!bytes.empty());
  return true;
}

}  // namespace pyhost
