// Users and groups: looked up before anything is forked, taken on in the children.
#pragma once

#include "daemon/settings.h"
#include "daemon/startup_error.h"

#include <optional>
#include <string>
#include <string_view>
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

// From options "user" and "group", given at `places`; empty texts mean none given. Throws
// StartupError: status 78 when there is no such user or group, 71 when this process may not change
// to it.
Credentials resolve_credentials(const std::string& user, const std::string& group,
                                const OptionPlaces& places = {});

// The same pool, with this process's own user and group in place of those for its sockets that are
// not known, or that it may not change to; `unknown` says which of them, if there is one.
PoolSettings with_known_owner(PoolSettings pool, std::optional<StartupError>& unknown);

// The workers' of a pool. Throws StartupError also when they would run as root unasked.
Credentials worker_credentials(const PoolSettings& pool);

// The gateway's. Throws StartupError also when it would run as root while not every pool may.
Credentials gateway_credentials(const Settings& settings);

// Says so when the gateway shares its user with a pool though this process may change users.
void note_shared_user(const Settings& settings);

// Throws StartupError, naming option `option`, when there is no such user or group.
uid_t user_id(const std::string& name, std::string_view option, const OptionPlaces& places = {});
gid_t group_id(const std::string& name, std::string_view option, const OptionPlaces& places = {});

// The primary group and all others of a user.
std::vector<gid_t> groups_of(uid_t user);

// The user's name for messages; the number where it has none.
std::string user_name(uid_t user);

// Processes of the same user can neither look into this one, nor take its descriptors, nor trace
// it, and it leaves no core file: it holds sockets, and perhaps keys for TLS. Its children inherit
// that until they execute a program. False with errno set. Async-signal-safe.
bool forbid_inspection();

// For good, in a child: takes the credentials on, gives up all capabilities unless they are root's,
// and regaining any (no_new_privs). Others of the same user cannot look into the process before it
// executes a program. False with errno set. Async-signal-safe.
bool drop_privileges(const Credentials& credentials);

// In a child: dies with its parent. After drop_privileges, which clears the setting. False: the
// parent is gone already. Async-signal-safe.
bool die_with_parent(pid_t parent);

}  // namespace pycgid
