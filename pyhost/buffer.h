// Bytes whose number others choose: clients, and what an application passes. pyhost has no
// exceptions (gil.h), so a std::string or std::vector that finds no memory ends the process; this
// one says so, and is as it was before. No Python here.
#pragma once

#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace pyhost {

class Buffer {
 public:
  Buffer() = default;
  ~Buffer() { std::free(data_); }
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  char* data() { return data_; }
  std::size_t capacity() const { return capacity_; }
  std::string_view view() const { return {data_, size_}; }
  // Keeps the memory.
  void clear() { size_ = 0; }

  // Room for so many bytes in all. False: there is no memory.
  [[nodiscard]] bool reserve(std::size_t capacity) {
    if (capacity <= capacity_) return true;
    void* const grown = std::realloc(data_, capacity);
    if (grown == nullptr) return false;
    data_ = static_cast<char*>(grown);
    capacity_ = capacity;
    return true;
  }

  // False: there is no memory.
  [[nodiscard]] bool append(std::string_view bytes) {
    if (bytes.empty()) return true;
    if (bytes.size() > capacity_ - size_ && !grow(bytes.size())) return false;
    std::memcpy(data_ + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
    return true;
  }

 private:
  // Doubling would not be had where what is needed still is.
  bool grow(std::size_t more) {
    return reserve(2 * capacity_ + more + kSmallest) || reserve(size_ + more);
  }

  static constexpr std::size_t kSmallest = 256;

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace pyhost
