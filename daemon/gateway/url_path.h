// Decoded paths of URLs. Pure.
#pragma once

#include <string>
#include <string_view>

namespace pycgid {

// Whether `path` is `prefix` or begins with it at a slash: "/foobis" is not below "/foo".
constexpr bool is_below(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

// As web servers read a path: several slashes are one, "." and ".." are followed (RFC 3986 section
// 5.2.4).
inline std::string normalised_path(std::string_view path) {
  std::string result;
  while (!path.empty()) {
    path.remove_prefix(path.front() == '/' ? 1 : 0);
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    const bool last = path.empty();
    if (segment == "..") {
      const std::size_t parent = result.rfind('/');
      result.resize(parent == result.npos ? 0 : parent);
    } else if (segment != "." && !segment.empty()) {
      result.append("/").append(segment);
    }
    if (last && (segment.empty() || segment == "." || segment == "..")) result.append("/");
  }
  return result;
}

}  // namespace pycgid
