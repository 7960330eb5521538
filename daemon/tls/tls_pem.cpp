// PEM in messages, see tls_pem.h.
#include "daemon/tls/tls_pem.h"

#include <cerrno>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace pycgid {
namespace {

pyhost::UniqueFd in_memory(std::string_view bytes) {
  pyhost::UniqueFd fd(::memfd_create("pycgid-tls", MFD_CLOEXEC));
  const bool written =
      fd && ::write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  if (!written) throw std::system_error(errno, std::generic_category(), "memfd_create");
  return fd;
}

std::optional<std::string> from_memory(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return std::nullopt;
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  if (::pread(fd, bytes.data(), bytes.size(), 0) != status.st_size) return std::nullopt;
  return bytes;
}

}  // namespace

Message tls_message(std::uint32_t pool, const TlsPem& pem) {
  Message message{.type = MessageType::tls, .pool = pool};
  for (const std::string* bytes : {&pem.certificate, &pem.key, &pem.client_ca}) {
    message.fds.push_back(in_memory(*bytes));
  }
  return message;
}

std::optional<TlsPem> read_tls_message(const Message& message) {
  TlsPem pem;
  std::string* const parts[] = {&pem.certificate, &pem.key, &pem.client_ca};
  if (message.fds.size() != std::size(parts)) return std::nullopt;
  for (std::size_t i = 0; i < std::size(parts); ++i) {
    auto bytes = from_memory(message.fds[i].get());
    if (!bytes) return std::nullopt;
    *parts[i] = std::move(*bytes);
  }
  return pem;
}

}  // namespace pycgid
