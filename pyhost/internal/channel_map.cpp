// The arithmetic of the channel's layout, and the mapping of its memory.
#include "pyhost/internal/channel_map.h"

#include <bit>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace pyhost {
namespace {

constexpr std::size_t round_up_size(std::size_t value, std::size_t step) {
  return (value + step - 1) & ~(step - 1);
}

bool ring_is_sane(std::uint32_t bytes) {
  return std::has_single_bit(bytes) && bytes >= kSmallestRing && bytes <= kLargestRing;
}

std::error_code last_error() {
  return {errno, std::system_category()};
}

// The header as it stands now; the memory's size decides whether it is believed.
bool read_header(int memory, ChannelHeader& header, std::error_code& error) {
  const ssize_t got = ::pread(memory, &header, sizeof header, 0);
  struct stat status {};
  if (got < 0 || ::fstat(memory, &status) != 0) {
    error = last_error();
    return false;
  }
  const bool good = got == sizeof header && header.magic == kChannelMagic &&
                    header.version == kChannelVersion && sizes_are_sane(header.sizes) &&
                    std::cmp_equal(status.st_size, ChannelLayout(header.sizes).total);
  if (!good) error = std::make_error_code(std::errc::invalid_argument);
  return good;
}

// Memory that could shrink would end its readers with SIGBUS.
bool is_sealed(int memory, std::error_code& error) {
  const int seals = ::fcntl(memory, F_GET_SEALS);
  if (seals >= 0 && (seals & F_SEAL_SHRINK) != 0) return true;
  error = std::make_error_code(std::errc::operation_not_permitted);
  return false;
}

}  // namespace

bool sizes_are_sane(const ChannelSizes& sizes) {
  return sizes.slots >= 1 && sizes.slots <= kMaxSlots && sizes.request_bytes >= 1 &&
         sizes.request_bytes <= kLargestRequest && ring_is_sane(sizes.body_bytes) &&
         ring_is_sane(sizes.response_bytes);
}

ChannelLayout::ChannelLayout(const ChannelSizes& sizes)
    : queue_entries(std::bit_ceil(2 * sizes.slots)),
      queue_at(sizeof(Board)),
      controls_at(round_up_size(queue_at + queue_entries * sizeof(Word), kCacheLine)),
      data_at(round_up_size(controls_at + sizes.slots * sizeof(SlotControl), kPage)),
      body_in_data(round_up_size(sizes.request_bytes, kCacheLine)),
      response_in_data(body_in_data + sizes.body_bytes),
      data_stride(round_up_size(response_in_data + sizes.response_bytes, kPage)),
      total(data_at + sizes.slots * data_stride) {}

std::optional<ChannelMap> ChannelMap::open(int memory, std::error_code& error) {
  ChannelHeader header;
  if (!is_sealed(memory, error) || !read_header(memory, header, error)) return std::nullopt;
  void* const base = ::mmap(nullptr, ChannelLayout(header.sizes).total, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_NORESERVE, memory, 0);
  if (base == MAP_FAILED) {
    error = last_error();
    return std::nullopt;
  }
  return ChannelMap(base, header.sizes);
}

ChannelMap::ChannelMap(void* base, const ChannelSizes& sizes)
    : base_(static_cast<char*>(base)), sizes_(sizes), layout_(sizes) {}

ChannelMap::ChannelMap(ChannelMap&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)), sizes_(other.sizes_), layout_(other.layout_) {}

ChannelMap::~ChannelMap() {
  if (base_ != nullptr) ::munmap(base_, layout_.total);
}

}  // namespace pyhost
