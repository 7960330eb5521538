// How a listening socket that cannot be had is reported.
#pragma once

#include "daemon/address.h"
#include "daemon/master/socket_holder.h"
#include "daemon/settings.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <string>
#include <string_view>

namespace pycgid {

// `(option "fastcgi", pycgid.conf:3)`, for the end of a message.
inline std::string option_of(const Address& address) {
  return address.places.text(option_name(address.protocol));
}

// Throws StartupError with `why` and, unless it is empty, what to do about it.
[[noreturn]] inline void cannot_bind(const Address& address, std::string_view why,
                                     std::string_view advice = {}) {
  std::string text = concat("cannot bind ", address.text, ": ", why, " ", option_of(address));
  if (!advice.empty()) text += concat("; ", advice);
  fail_start(ExitStatus::system, std::move(text));
}

// What -t says of an address that the running daemon has.
inline std::string in_use_note(const Address& address, const SocketHolder& holder) {
  return concat(address.text, " is in use by ", holder.text, " ", option_of(address));
}

}  // namespace pycgid
