// OpenSSL's errors in an administrator's words.
#pragma once

#include <string>

struct ssl_st;

namespace pycgid {

// What is wrong with a connection, from the errors that OpenSSL has just queued, and what to do
// about it.
std::string tls_complaint(const ssl_st& ssl, bool in_handshake);

}  // namespace pycgid
