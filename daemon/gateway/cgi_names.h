// The variables that the rules of cgi_request.cpp are about, recognised by length first: that takes
// a few instructions where a map takes a hash. Pure.
#pragma once

#include <cstdint>
#include <iterator>
#include <string_view>

namespace pycgid {

enum class Known : std::uint8_t {
  request_method,
  request_uri,
  query_string,
  script_name,
  path_info,
  document_uri,
  content_length,
  content_type,
  server_name,
  server_port,
  server_addr,
  server_protocol,
  server_software,
  gateway_interface,
  request_scheme,
  https,
  http_host,
  http_cookie,
  http_upgrade,
  fcgi_role,
  other,   // from here on no variable of that value is kept track of
  dropped  // never reaches the application
};

constexpr std::size_t index_of(Known known) {
  return static_cast<std::size_t>(known);
}

constexpr std::string_view name_of(Known known) {
  constexpr std::string_view kNames[] = {"REQUEST_METHOD",
                                         "REQUEST_URI",
                                         "QUERY_STRING",
                                         "SCRIPT_NAME",
                                         "PATH_INFO",
                                         "DOCUMENT_URI",
                                         "CONTENT_LENGTH",
                                         "CONTENT_TYPE",
                                         "SERVER_NAME",
                                         "SERVER_PORT",
                                         "SERVER_ADDR",
                                         "SERVER_PROTOCOL",
                                         "SERVER_SOFTWARE",
                                         "GATEWAY_INTERFACE",
                                         "REQUEST_SCHEME",
                                         "HTTPS",
                                         "HTTP_HOST",
                                         "HTTP_COOKIE",
                                         "HTTP_UPGRADE",
                                         "FCGI_ROLE",
                                         "",
                                         ""};
  static_assert(std::size(kNames) == index_of(Known::dropped) + 1);
  return kNames[index_of(known)];
}

// The candidates have the length of `name`, so that each comparison is a few instructions.
template <Known... kCandidates>
constexpr Known one_of(std::string_view name) {
  Known found = Known::other;
  (void)((name == name_of(kCandidates) && (found = kCandidates, true)) || ...);
  return found;
}

constexpr Known recognise(std::string_view name) {
  const auto dropped_if = [](bool condition) { return condition ? Known::dropped : Known::other; };
  switch (name.size()) {
    case 0:
      return Known::dropped;
    case 5:
      return one_of<Known::https>(name);
    case 9:
      return one_of<Known::http_host, Known::path_info, Known::fcgi_role>(name);
    case 10:
      return dropped_if(name == "HTTP_PROXY");
    case 11:
      return one_of<Known::request_uri, Known::script_name, Known::server_name, Known::server_port,
                    Known::server_addr, Known::http_cookie>(name);
    case 12:
      return one_of<Known::query_string, Known::document_uri, Known::content_type,
                    Known::http_upgrade>(name);
    case 14:
      return one_of<Known::request_method, Known::content_length, Known::request_scheme>(name);
    case 15:
      return one_of<Known::server_protocol, Known::server_software>(name);
    case 17:
      if (name == name_of(Known::gateway_interface)) return Known::gateway_interface;
      return dropped_if(name == "HTTP_CONTENT_TYPE");
    case 19:
      return dropped_if(name == "HTTP_CONTENT_LENGTH");
    case 22:
      return dropped_if(name == "HTTP_TRANSFER_ENCODING");
    default:
      return Known::other;
  }
}

}  // namespace pycgid
