// Whether the web server can get at a Unix socket, see socket_reach.h.
#include "daemon/master/socket_reach.h"

#include "daemon/master/path_problem.h"
#include "daemon/master/privileges.h"
#include "daemon/text.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <system_error>
#include <vector>

namespace pycgid {
namespace {

namespace fs = std::filesystem;

struct Visitor {
  uid_t user = static_cast<uid_t>(-1);
  std::vector<gid_t> groups;
};

bool may_search(const Visitor& visitor, const fs::path& directory, const struct stat& status) {
  if (visitor.user == 0) return true;
  if (::getxattr(directory.c_str(), "system.posix_acl_access", nullptr, 0) > 0) return true;
  if (status.st_uid == visitor.user) return (status.st_mode & S_IXUSR) != 0;
  const bool in_group = std::ranges::find(visitor.groups, status.st_gid) != visitor.groups.end();
  return (status.st_mode & (in_group ? S_IXGRP : S_IXOTH)) != 0;
}

// The topmost directory that keeps the visitor out; empty: none does.
std::string closed_directory(const Visitor& visitor, const fs::path& path) {
  fs::path directory;
  for (const fs::path& name : path) {
    directory /= name;
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0) return {};
    if (!may_search(visitor, directory, status)) {
      return concat(in_quotes(directory.string()), rights_text(status));
    }
  }
  return {};
}

std::string complaint(const Visitor& visitor, const Address& address, const std::string& who,
                      const std::string& where) {
  std::error_code error;
  const fs::path directory = fs::canonical(fs::path(address.path).parent_path(), error);
  const std::string closed = error ? "" : closed_directory(visitor, directory);
  if (closed.empty()) return {};
  return concat(who, " may not search directory ", closed, " and so will not reach ", address.text,
                " ", where);
}

}  // namespace

std::string unreachable_text(const Address& address, const PoolSettings& pool) {
  if (!pool.socket_user.empty()) {
    const uid_t user = user_id(pool.socket_user, "socket-user", pool.places);
    const Visitor visitor{user, groups_of(user)};
    return complaint(visitor, address, concat("user ", in_quotes(pool.socket_user)),
                     pool.places.text("socket-user"));
  }
  if (pool.socket_group.empty()) return {};
  const Visitor visitor{.groups = {group_id(pool.socket_group, "socket-group", pool.places)}};
  return complaint(visitor, address, concat("group ", in_quotes(pool.socket_group)),
                   pool.places.text("socket-group"));
}

}  // namespace pycgid
