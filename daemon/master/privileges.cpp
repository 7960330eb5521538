// Users and groups, see privileges.h.
#include "daemon/master/privileges.h"

#include "daemon/log.h"
#include "daemon/option_values.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <grp.h>
#include <linux/capability.h>
#include <optional>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace pycgid {
namespace {

// A number stands for itself: containers often have no entry for the user they run as.
std::optional<unsigned> numeric_id(const std::string& name) {
  const auto number = parse_number(name);
  if (!number || *number >= static_cast<unsigned>(-1)) return std::nullopt;
  return static_cast<unsigned>(*number);
}

std::optional<uid_t> find_user(const std::string& name) {
  if (const passwd* entry = getpwnam(name.c_str()); entry != nullptr) return entry->pw_uid;
  return numeric_id(name);
}

std::vector<gid_t> supplementary_groups(uid_t user, gid_t group) {
  const passwd* entry = getpwuid(user);
  if (entry == nullptr) return {group};
  const std::string name = entry->pw_name;
  int count = 32;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  while (getgrouplist(name.c_str(), group, groups.data(), &count) < 0) {
    groups.resize(static_cast<std::size_t>(count));
  }
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

gid_t primary_group(uid_t user) {
  const passwd* entry = getpwuid(user);
  return entry == nullptr ? static_cast<gid_t>(user) : entry->pw_gid;
}

// In a user namespace that was made without root nobody may change groups, and those that are
// there give nothing that this user does not have: what is asked for is what is.
bool change_groups(const Credentials& credentials) {
  if (setgroups(credentials.groups.size(), credentials.groups.data()) == 0) return true;
  return errno == EPERM && credentials.user == geteuid() && credentials.group == getegid();
}

// For all that is executed from now on. Without CAP_SETPCAP it stays, and no_new_privs alone has to
// do.
void drop_bounding_set() {
  // A kernel may have more than this was built with, and refuses the first that it has not.
  constexpr unsigned long kMost = 64;
  for (unsigned long capability = 0; capability < kMost; ++capability) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return;
  }
}

// Also those that a service manager gave to a user who is not root.
bool drop_capabilities() {
  // EINVAL: a kernel before 4.3, which has none of these.
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) {
    return false;
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  return syscall(SYS_capset, &header, none.data()) == 0;
}

}  // namespace

uid_t user_id(const std::string& name, std::string_view option, const OptionPlaces& places) {
  if (const auto user = find_user(name)) return *user;
  fail_start(ExitStatus::configuration,
             concat("no such user: ", in_quotes(name), " ", places.text(option),
                    "; create it, by systemd-sysusers or adduser --system, or name another"));
}

gid_t group_id(const std::string& name, std::string_view option, const OptionPlaces& places) {
  if (const group* entry = getgrnam(name.c_str()); entry != nullptr) return entry->gr_gid;
  if (const auto number = numeric_id(name)) return *number;
  fail_start(ExitStatus::configuration,
             concat("no such group: ", in_quotes(name), " ", places.text(option)));
}

Credentials resolve_credentials(const std::string& user, const std::string& group,
                                const OptionPlaces& places) {
  Credentials result;
  result.user = user.empty() ? geteuid() : user_id(user, "user", places);
  result.group = !group.empty() ? group_id(group, "group", places)
                 : user.empty() ? getegid()
                                : primary_group(result.user);
  result.change =
      result.user != geteuid() || result.group != getegid() || (geteuid() == 0 && !user.empty());
  if (result.change && geteuid() != 0) {
    const bool by_user = result.user != geteuid();
    fail_start(
        ExitStatus::system,
        concat("cannot change to ", by_user ? "user " : "group ", in_quotes(by_user ? user : group),
               ": not started as root ", places.text(by_user ? "user" : "group")));
  }
  if (result.change) result.groups = supplementary_groups(result.user, result.group);
  return result;
}

PoolSettings with_known_owner(PoolSettings pool, std::optional<StartupError>& unknown) {
  const std::string own_user = std::to_string(geteuid());
  const std::string own_group = std::to_string(getegid());
  const auto attempt = [&unknown](auto&& task, auto&& otherwise) {
    try {
      task();
    } catch (const StartupError& error) {
      if (!unknown) unknown = error;
      otherwise();
    }
  };
  attempt([&] { resolve_credentials(pool.user, pool.group, pool.places); },
          [&] {
            pool.user = own_user;
            pool.group = own_group;
          });
  if (!pool.socket_user.empty()) {
    attempt([&] { user_id(pool.socket_user, "socket-user", pool.places); },
            [&] { pool.socket_user = own_user; });
  }
  if (!pool.socket_group.empty()) {
    attempt([&] { group_id(pool.socket_group, "socket-group", pool.places); },
            [&] { pool.socket_group = own_group; });
  }
  return pool;
}

Credentials worker_credentials(const PoolSettings& pool) {
  Credentials credentials = resolve_credentials(pool.user, pool.group, pool.places);
  if (credentials.user == 0 && !pool.allow_root) {
    fail_start(ExitStatus::configuration,
               concat("the workers of pool ", in_quotes(pool.name),
                      " would run as root; name another user ", pool.places.text("user"),
                      ", or allow it ", pool.places.text("allow-root")));
  }
  return credentials;
}

Credentials gateway_credentials(const Settings& settings) {
  Credentials credentials = resolve_credentials(settings.user, settings.group, settings.places);
  const auto forbids = std::ranges::find_if_not(settings.pools, &PoolSettings::allow_root);
  const bool allowed = !settings.pools.empty() && forbids == settings.pools.end();
  if (credentials.user == 0 && !allowed) {
    const std::string pool =
        settings.pools.empty() ? "every pool" : concat("pool ", in_quotes(forbids->name), " too");
    const std::string allow_root = settings.pools.empty() ? OptionPlaces().text("allow-root")
                                                          : forbids->places.text("allow-root");
    fail_start(
        ExitStatus::configuration,
        concat("the gateway would run as root ", settings.places.text("user"),
               "; name another user for it, before the first pool of a file, or allow it in ", pool,
               " ", allow_root));
  }
  return credentials;
}

void note_shared_user(const Settings& settings) {
  const uid_t gateway = resolve_credentials(settings.user, settings.group, settings.places).user;
  if (geteuid() != 0 || gateway == 0) return;
  for (const PoolSettings& pool : settings.pools) {
    const std::string& name = pool.user.empty() ? settings.user : pool.user;
    if (name.empty() || find_user(name) != gateway) continue;
    log_warning(concat("pool ", in_quotes(pool.name), " has the gateway's user ", in_quotes(name),
                       ", and so may end the gateway ", settings.places.text("user"),
                       "; give the gateway a user of its own"));
  }
}

std::vector<gid_t> groups_of(uid_t user) {
  return supplementary_groups(user, primary_group(user));
}

std::string user_name(uid_t user) {
  const passwd* entry = getpwuid(user);
  return entry == nullptr ? std::to_string(user) : entry->pw_name;
}

bool forbid_inspection() {
  return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

bool drop_privileges(const Credentials& credentials) {
  if (credentials.user != 0) drop_bounding_set();
  if (credentials.change &&
      (!change_groups(credentials) ||
       setresgid(credentials.group, credentials.group, credentials.group) != 0 ||
       setresuid(credentials.user, credentials.user, credentials.user) != 0)) {
    return false;
  }
  if (credentials.user != 0 && !drop_capabilities()) return false;
  // Once more: another user's rights may have set it anew.
  if (!forbid_inspection()) return false;
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

bool die_with_parent(pid_t parent) {
  return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

}  // namespace pycgid
