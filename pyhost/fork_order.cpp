// Orders and reports, see fork_order.h. Both sides come from one build, so that the layout needs no
// version; a packet that does not fit it counts as a broken link.
#include "pyhost/fork_order.h"

#include "pyhost/own_fds.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/uio.h>

namespace pyhost {
namespace {

struct Head {
  std::uint32_t id = 0;
  std::uint32_t number = 0;
};

constexpr std::size_t kFds = 6;

union ControlBuffer {
  cmsghdr align;
  std::array<char, CMSG_SPACE(sizeof(int) * kFds)> bytes;
};

msghdr message_of(iovec& part, ControlBuffer& control) {
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  return message;
}

// The payload of the control message of this type, when it has this size.
const unsigned char* payload(msghdr& message, int type, std::size_t bytes) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == type &&
        header->cmsg_len == CMSG_LEN(bytes)) {
      return CMSG_DATA(header);
    }
  }
  return nullptr;
}

bool is_whole(const msghdr& message, ssize_t got, std::size_t expected) {
  return got == static_cast<ssize_t>(expected) &&
         (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
}

}  // namespace

std::error_code create_order_link(OrderLink& link) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return {errno, std::system_category()};
  }
  link.master.reset(ends[0]);
  link.workers.reset(ends[1]);
  mark_as_ours(ends[1]);
  const int on = 1;
  if (::setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    return {errno, std::system_category()};
  }
  return {};
}

bool send_order(int master, const ForkOrder& order) {
  const WorkerSide& side = order.side;
  const std::array<int, kFds> fds{side.status.get(),       side.output.get(),
                                  side.log.get(),          side.channel.memory.get(),
                                  side.channel.bell.get(), side.channel.passing.get()};
  Head head{order.id, order.number};
  iovec part{&head, sizeof head};
  ControlBuffer control{};
  msghdr message = message_of(part, control);
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fds);
  std::memcpy(CMSG_DATA(header), fds.data(), sizeof fds);
  return ::sendmsg(master, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == ssize_t{sizeof head};
}

Received receive_order(int workers, ForkOrder& order) {
  Head head;
  iovec part{&head, sizeof head};
  ControlBuffer control{};
  msghdr message = message_of(part, control);
  const ssize_t got = ::recvmsg(workers, &message, MSG_CMSG_CLOEXEC);
  if (got < 0 && errno == EINTR) return Received::nothing;
  std::array<int, kFds> fds{};
  const unsigned char* const given = payload(message, SCM_RIGHTS, sizeof fds);
  if (given == nullptr || !is_whole(message, got, sizeof head)) return Received::closed;
  std::memcpy(fds.data(), given, sizeof fds);
  order.id = head.id;
  order.number = head.number;
  order.side = {UniqueFd(fds[0]), UniqueFd(fds[1]), UniqueFd(fds[2]),
                ChannelFds{UniqueFd(fds[3]), UniqueFd(fds[4]), UniqueFd(fds[5])}};
  return Received::message;
}

bool send_forked(int workers, std::uint32_t id) {
  return ::send(workers, &id, sizeof id, MSG_NOSIGNAL) == ssize_t{sizeof id};
}

// Descriptors that came along, which ours never do, are closed.
Received receive_forked(int master, std::uint32_t& id, pid_t& pid) {
  iovec part{&id, sizeof id};
  // Room for the credentials alone: the kernel itself drops what does not fit.
  union {
    cmsghdr align;
    std::array<char, CMSG_SPACE(sizeof(ucred))> bytes;
  } control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(master, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) return Received::nothing;
  ucred sender{};
  const unsigned char* const given = payload(message, SCM_CREDENTIALS, sizeof sender);
  if (given == nullptr || !is_whole(message, got, sizeof id)) return Received::closed;
  std::memcpy(&sender, given, sizeof sender);
  pid = sender.pid;
  return Received::message;
}

}  // namespace pyhost
