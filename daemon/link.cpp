// The wire between master and gateway, see link.h. One message is one packet:
//
//   type | worker | pid | pool | generation | count | text ...      (32-bit fields, host order)
//
// with the descriptors beside it as SCM_RIGHTS. Both ends are forks of one program, so that the
// layout needs no version; a packet that does not fit it counts as a broken link.
#include "daemon/link.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>

namespace pycgid {
namespace {

constexpr std::size_t kMaxText = 4096;
constexpr std::size_t kMaxFds = 4;
constexpr int kSendPatience = 1000;  // milliseconds

struct Header {
  std::uint32_t type = 0;
  std::uint32_t worker = 0;
  std::int32_t pid = 0;
  std::uint32_t pool = 0;
  std::uint32_t generation = 0;
  std::uint32_t count = 0;
};

union ControlBuffer {
  std::array<char, CMSG_SPACE(sizeof(int) * kMaxFds)> bytes;
  cmsghdr align;
};

void attach_fds(msghdr& packet, ControlBuffer& control, const std::vector<pyhost::UniqueFd>& fds) {
  const std::size_t bytes = fds.size() * sizeof(int);
  packet.msg_control = control.bytes.data();
  packet.msg_controllen = CMSG_SPACE(bytes);
  cmsghdr* header = CMSG_FIRSTHDR(&packet);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(bytes);
  unsigned char* into = CMSG_DATA(header);
  for (const pyhost::UniqueFd& fd : fds) {
    const int number = fd.get();
    std::memcpy(into, &number, sizeof number);
    into += sizeof number;
  }
}

std::vector<pyhost::UniqueFd> detach_fds(msghdr& packet) {
  std::vector<pyhost::UniqueFd> fds;
  for (cmsghdr* header = CMSG_FIRSTHDR(&packet); header != nullptr;
       header = CMSG_NXTHDR(&packet, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(header) + i * sizeof number, sizeof number);
      fds.emplace_back(number);
    }
  }
  return fds;
}

bool wait_for_room(int fd) {
  pollfd entry{fd, POLLOUT, 0};
  return ::poll(&entry, 1, kSendPatience) == 1 && (entry.revents & POLLOUT) != 0;
}

// Whether a received packet is one of ours; its descriptors may be lost.
bool well_formed(const msghdr& packet, std::size_t bytes, const Header& header) {
  return (packet.msg_flags & MSG_TRUNC) == 0 && bytes >= sizeof header &&
         header.type <= static_cast<std::uint32_t>(MessageType::drained);
}

}  // namespace

std::pair<Link, Link> Link::create() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()) != 0) {
    throw std::system_error(errno, std::generic_category(), "socketpair");
  }
  return {Link(pyhost::UniqueFd(fds[0])), Link(pyhost::UniqueFd(fds[1]))};
}

bool Link::send(const Message& message) {
  if (message.fds.size() > kMaxFds) return false;
  Header header{static_cast<std::uint32_t>(message.type),
                message.worker,
                message.pid,
                message.pool,
                message.generation,
                message.count};
  std::string text = message.text.substr(0, kMaxText);
  std::array<iovec, 2> parts{{{&header, sizeof header}, {text.data(), text.size()}}};
  ControlBuffer control{};
  msghdr packet{};
  packet.msg_iov = parts.data();
  packet.msg_iovlen = parts.size();
  if (!message.fds.empty()) attach_fds(packet, control, message.fds);
  while (::sendmsg(socket_.get(), &packet, MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN || !wait_for_room(socket_.get())) return false;
  }
  return true;
}

Link::Received Link::receive(Message& message) {
  Header header;
  std::array<char, kMaxText> text;
  std::array<iovec, 2> parts{{{&header, sizeof header}, {text.data(), text.size()}}};
  ControlBuffer control{};
  msghdr packet{};
  packet.msg_iov = parts.data();
  packet.msg_iovlen = parts.size();
  packet.msg_control = control.bytes.data();
  packet.msg_controllen = control.bytes.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(socket_.get(), &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return errno == EAGAIN ? Received::nothing : Received::closed;
  std::vector<pyhost::UniqueFd> fds = detach_fds(packet);
  // recvmsg(2): some of them did not fit into the table of open files.
  if ((packet.msg_flags & MSG_CTRUNC) != 0) fds.clear();
  const auto bytes = static_cast<std::size_t>(got);
  if (!well_formed(packet, bytes, header)) return Received::closed;
  message = Message{static_cast<MessageType>(header.type),
                    header.worker,
                    header.pid,
                    header.pool,
                    header.generation,
                    header.count,
                    std::string(text.data(), bytes - sizeof header),
                    std::move(fds)};
  return Received::message;
}

}  // namespace pycgid
