// The part of an exchange that hands the request to a worker: variables and body into its slot.
#include "daemon/gateway/debug_params.h"
#include "daemon/gateway/exchange.h"
#include "daemon/gateway/worker.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace pycgid {
namespace {

// Fits into every request area, beside the largest params (worker_spawn.cpp).
constexpr std::uint64_t kInlinedFilterBody = 64 * 1024;

}  // namespace

// A Filter's worker finds STDIN and, behind it, DATA in one body, which it reads from both places
// at once: inlined or a file, never the ring. pycgid.data_at tells where the second begins.
std::error_code Exchange::merge_filter_data() {
  data_at_ = body_.size();
  const bool fits = body_.size() + data_.size() <= kInlinedFilterBody;
  if (data_.in_memory()) {
    const std::uint64_t limit = fits ? kInlinedFilterBody : 0;
    return body_.append(data_.memory(), limit, context_.settings.temp_dir);
  }
  std::array<char, 64 * 1024> chunk;
  for (off_t at = 0;;) {
    const ssize_t count = ::pread(data_.file(), chunk.data(), chunk.size(), at);
    if (count <= 0) return {count == 0 ? 0 : errno, std::system_category()};
    at += count;
    const std::string_view bytes(chunk.data(), static_cast<std::size_t>(count));
    if (const auto error = body_.append(bytes, 0, context_.settings.temp_dir)) return error;
  }
}

bool Exchange::submit(Worker& worker, std::uint32_t slot) {
  pyhost::GatewayEnd& channel = worker.channel();
  if (!streaming_ && received_ > 0 && !request_.content_length()) {
    request_.set_content_length(received_);
  }
  const std::span<char> area = channel.request_area(slot);
  pyhost::ParamsWriter params(area);
  if (!write_params(params)) {
    dispatched_ = false;
    refuse(431, "its variables don't fit (option \"max-params\")");
    return false;
  }
  if (context_.pool.debug_params) {
    log_received_variables({context_.pool.name, id_}, {area.data(), params.bytes()});
  }
  pyhost::RequestHead head;
  head.params_bytes = static_cast<std::uint32_t>(params.bytes());
  worker_ = &worker;
  worker_pid_ = worker.info().pid;
  if (worker.idle_threads() > 0) taken_ = context_.loop.now();
  slot_ = slot;
  fed_ = 0;
  body_end_told_ = false;
  through_ring_ = !place_body(channel, head);
  channel.post(slot, head);
  if (through_ring_) feed_body();
  return true;
}

bool Exchange::write_params(pyhost::ParamsWriter& params) const {
  if (!request_.write(params) || !params.add("pycgid.request_id", id_)) return false;
  return role_ != Role::filter || params.add("pycgid.data_at", std::to_string(data_at_));
}

// False: the body goes through the ring.
bool Exchange::place_body(pyhost::GatewayEnd& channel, pyhost::RequestHead& head) {
  head.body_bytes = body_.size();
  if (streaming_) {
    head.body = pyhost::BodyMode::ring;
    head.body_bytes = request_.content_length().value_or(pyhost::kUnknownLength);
    return false;
  }
  if (body_.size() == 0) {
    head.body = pyhost::BodyMode::none;
    return true;
  }
  if (!body_.in_memory()) {
    head.body = pyhost::BodyMode::file;
    if (channel.pass_file(slot_, body_.file())) return true;
  } else if (body_.size() <= channel.request_area(slot_).size() - head.params_bytes) {
    head.body = pyhost::BodyMode::inlined;
    std::memcpy(channel.request_area(slot_).data() + head.params_bytes, body_.memory().data(),
                body_.size());
    return true;
  }
  head.body = pyhost::BodyMode::ring;
  return false;
}

// Moves what is stored into the worker's ring, as far as there is room.
void Exchange::feed_body() {
  if (worker_ == nullptr || !through_ring_ || body_end_told_) return;
  while (fed_ < body_.size()) {
    const std::size_t taken = feed_from_store();
    if (taken == 0) return;
    fed_ += taken;
  }
  if (streaming_ && fed_ > 0) {
    body_.clear();
    fed_ = 0;
  }
  if (input_ == Input::ended || !streaming_) {
    body_end_told_ = true;
    worker_->channel().end_body(slot_, body_whole_);
  }
}

// What is stored cannot be read back: the worker must not wait for it.
void Exchange::lose_body(std::error_code error) {
  log_problem("cannot read its body back from a temporary file: " + error.message() +
              " (option \"temp-dir\")");
  body_end_told_ = true;
  worker_->channel().end_body(slot_, false);
}

std::size_t Exchange::feed_from_store() {
  pyhost::GatewayEnd& channel = worker_->channel();
  if (body_.in_memory()) {
    return channel.write_body(slot_, body_.memory().substr(static_cast<std::size_t>(fed_)));
  }
  std::array<char, 64 * 1024> chunk;
  const ssize_t count = ::pread(body_.file(), chunk.data(), chunk.size(), static_cast<off_t>(fed_));
  if (count <= 0) {
    lose_body({count == 0 ? EIO : errno, std::system_category()});
    return 0;
  }
  return channel.write_body(slot_, {chunk.data(), static_cast<std::size_t>(count)});
}

}  // namespace pycgid
