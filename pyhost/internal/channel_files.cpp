// SCM_RIGHTS messages of exactly one descriptor.
#include "pyhost/internal/channel_files.h"

#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

namespace pyhost {
namespace {

// With CMSG_SPACE the padding would let the kernel install a second descriptor, which nobody would
// close: the control buffer offered has CMSG_LEN bytes, room for one.
union ControlBuffer {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

msghdr message_of(iovec& part, ControlBuffer& control) {
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = CMSG_LEN(sizeof(int));
  return message;
}

UniqueFd descriptor_in(msghdr& message) {
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
      header->cmsg_len != CMSG_LEN(sizeof(int))) {
    return {};
  }
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return UniqueFd(fd);
}

}  // namespace

bool send_file(int socket, const FileTag& tag, int fd) {
  FileTag copy = tag;
  iovec part{&copy, sizeof copy};
  ControlBuffer control{};
  msghdr message = message_of(part, control);
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
  return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == ssize_t{sizeof copy};
}

bool receive_file(int socket, FileTag& tag, UniqueFd& fd) {
  iovec part{&tag, sizeof tag};
  ControlBuffer control{};
  msghdr message = message_of(part, control);
  const ssize_t got = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got <= 0) return false;
  fd = descriptor_in(message);
  if (got != ssize_t{sizeof tag} || (message.msg_flags & MSG_TRUNC) != 0) fd.reset();
  return true;
}

bool is_regular_file(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace pyhost
