#include "daemon/gateway/reply.h"

#include <algorithm>
#include <cstring>
#include <sys/stat.h>
#include <utility>

namespace pycgid {
namespace {

// A file is queued in pieces of this size, so that the room for pending bytes counts for it too.
constexpr std::uint64_t kFilePiece = 512 * 1024;
// What is taken of one answer in a turn: more than a ring holds, so that a worker that has ended is
// read to its end, and no more than that of one that writes as fast as it is read.
constexpr std::size_t kMostPerTurn = std::size_t{256} * 1024;
constexpr std::size_t kBlockCost = 8;  // what a block takes of the ring besides its bytes, at most

bool is_regular_file(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

}  // namespace

void Reply::clear() {
  head_.clear();
  file_.reset();
  file_offset_ = file_left_ = body_bytes_ = 0;
  problem_.clear();
  head_sent_ = drop_body_ = ended_ = satisfied_ = surplus_ = worker_failed_ = false;
}

Reply::Progress Reply::stop(Progress how, std::string why) {
  problem_ = std::move(why);
  return how;
}

Reply::Progress Reply::take(pyhost::GatewayEnd& channel, std::uint32_t slot, ReplyTarget& target,
                            std::uint64_t room) {
  for (taken_ = 0; taken_ < kMostPerTurn;) {
    // Behind a file only its end is taken ahead: that sets the slot free while the file goes out.
    if (ended_ || satisfied_) return resume(target, room);
    send_file_pieces(target, room);
    if (file_left_ == 0 && target.pending() >= room) return Progress::no_room;
    const Progress progress = take_block(channel, slot, target);
    if (progress != Progress::complete) return progress;
  }
  return Progress::more;
}

Reply::Progress Reply::resume(ReplyTarget& target, std::uint64_t room) {
  send_file_pieces(target, room);
  return file_left_ > 0 ? Progress::no_room : finish();
}

// `complete` means here: a block was taken, go on.
Reply::Progress Reply::take_block(pyhost::GatewayEnd& channel, std::uint32_t slot,
                                  ReplyTarget& target) {
  pyhost::Block block;
  switch (channel.peek(slot, block)) {
    case pyhost::GatewayEnd::Peek::empty:
      return Progress::waiting;
    case pyhost::GatewayEnd::Peek::violation:
      return stop(Progress::violation, "its response ring is damaged");
    case pyhost::GatewayEnd::Peek::block:
      break;
  }
  const std::size_t size = block.bytes.size();
  if (file_left_ > 0 && block.type != pyhost::BlockType::end) return Progress::no_room;
  const Progress progress = use(block, channel, slot, target);
  channel.consume(slot, size);
  taken_ += size + kBlockCost;
  return progress;
}

Reply::Progress Reply::use(const pyhost::Block& block, pyhost::GatewayEnd& channel,
                           std::uint32_t slot, ReplyTarget& target) {
  switch (block.type) {
    case pyhost::BlockType::head:
      return take_head(block.bytes);
    case pyhost::BlockType::body:
      return take_body(block.bytes, target);
    case pyhost::BlockType::file:
      return take_file(channel, slot, block.bytes, target);
    case pyhost::BlockType::end:
      break;
  }
  return take_end(block.bytes, target);
}

Reply::Progress Reply::take_head(std::string_view bytes) {
  if (head_sent_) return stop(Progress::violation, "it sent a second response head");
  if (!head_.append(bytes)) return stop(Progress::failed, "the response head is too large");
  return Progress::complete;
}

Reply::Progress Reply::send_head(ReplyTarget& target) {
  if (head_sent_) return Progress::complete;
  if (head_.empty()) return stop(Progress::violation, "it sent a body without a response head");
  if (std::string wrong = head_.check(); !wrong.empty()) {
    return stop(Progress::failed, "the response head is unusable: " + wrong);
  }
  target.send(head_.text());
  head_sent_ = true;
  if (!head_.body_allowed()) drop_body_ = true;
  return Progress::complete;
}

// How much of `bytes` more body bytes may go out.
std::uint64_t Reply::allowed(std::uint64_t bytes) {
  // The answer to HEAD, 204 and 304 is whole with its head: a stream that never ends ends here.
  satisfied_ = drop_body_;
  if (drop_body_) return 0;
  if (const auto length = head_.content_length()) {
    const std::uint64_t left = *length - std::min(*length, body_bytes_);
    if (bytes > left) {
      surplus_ = satisfied_ = true;
      bytes = left;
    }
  }
  body_bytes_ += bytes;
  return bytes;
}

Reply::Progress Reply::take_body(std::string_view bytes, ReplyTarget& target) {
  if (const auto progress = send_head(target); progress != Progress::complete) return progress;
  if (const auto count = static_cast<std::size_t>(allowed(bytes.size()))) {
    target.send(bytes.substr(0, count));
  }
  return Progress::complete;
}

Reply::Progress Reply::take_file(pyhost::GatewayEnd& channel, std::uint32_t slot,
                                 std::string_view bytes, ReplyTarget& target) {
  pyhost::FileRange range;
  if (bytes.size() != sizeof range) return stop(Progress::violation, "a file block is damaged");
  std::memcpy(&range, bytes.data(), sizeof range);
  auto file = std::make_shared<pyhost::UniqueFd>(channel.receive_file(slot));
  if (!*file || !is_regular_file(file->get())) {
    return stop(Progress::violation, "it announced a file and sent none");
  }
  if (const auto progress = send_head(target); progress != Progress::complete) return progress;
  file_left_ = allowed(range.length);
  file_offset_ = range.offset;
  if (file_left_ > 0) file_ = std::move(file);
  return Progress::complete;
}

Reply::Progress Reply::take_end(std::string_view bytes, ReplyTarget& target) {
  if (bytes.size() != 1) return stop(Progress::violation, "an end block is damaged");
  ended_ = true;
  worker_failed_ = bytes[0] != static_cast<char>(pyhost::EndKind::complete);
  if (worker_failed_) return head_sent_ ? Progress::complete : stop(Progress::failed, "");
  return send_head(target);
}

Reply::Progress Reply::finish() {
  if (worker_failed_) return stop(Progress::cut, "");
  const auto length = head_.content_length();
  if (length && !drop_body_ && body_bytes_ < *length) {
    return stop(Progress::cut, "the application sent " + std::to_string(body_bytes_) +
                                   " bytes of a Content-Length of " + std::to_string(*length));
  }
  return Progress::complete;
}

void Reply::send_file_pieces(ReplyTarget& target, std::uint64_t room) {
  while (file_left_ > 0 && target.pending() < room) {
    const std::uint64_t piece = std::min(file_left_, kFilePiece);
    target.send_file(file_, file_offset_, piece);
    file_offset_ += piece;
    file_left_ -= piece;
  }
  if (file_left_ == 0) file_.reset();
}

}  // namespace pycgid
