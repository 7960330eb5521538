// Users and groups: looked up before anything is forked, taken on in the children.
#pragma once

#include "daemon/settings.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace pycgid {

// Who a child becomes. `change` false: it stays what the master is.
struct Credentials {
  bool change = false;
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> groups;
};

// From options "user" and "group"; empty texts mean none given. Throws StartupError: status 78 when
// there is no such user or group, 71 when this process may not change to it.
Credentials resolve_credentials(const std::string& user, const std::string& group);

// The workers' of a pool. Throws StartupError also when they would run as root unasked.
Credentials worker_credentials(const PoolSettings& pool);

// Throws StartupError, naming option `option`, when there is no such user or group.
uid_t user_id(const std::string& name, const std::string& option);
gid_t group_id(const std::string& name, const std::string& option);

// The user's name for messages; the number where it has none.
std::string user_name(uid_t user);

// For good, in a child: takes the credentials on and gives up regaining others (no_new_privs).
// False with errno set. Async-signal-safe.
bool drop_privileges(const Credentials& credentials);

// In a child: dies with its parent. After drop_privileges, which clears the setting. False: the
// parent is gone already. Async-signal-safe.
bool die_with_parent(pid_t parent);

}  // namespace pycgid
