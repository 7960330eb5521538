// Users and groups, see privileges.h.
#include "daemon/master/privileges.h"

#include "daemon/option_values.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <cerrno>
#include <csignal>
#include <grp.h>
#include <optional>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace pycgid {
namespace {

// A number stands for itself: containers often have no entry for the user they run as.
std::optional<unsigned> numeric_id(const std::string& name) {
  const auto number = parse_number(name);
  if (!number || *number >= static_cast<unsigned>(-1)) return std::nullopt;
  return static_cast<unsigned>(*number);
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

}  // namespace

uid_t user_id(const std::string& name, const std::string& option) {
  if (const passwd* entry = getpwnam(name.c_str()); entry != nullptr) return entry->pw_uid;
  if (const auto number = numeric_id(name)) return *number;
  fail_start(ExitStatus::configuration,
             concat("no such user: ", in_quotes(name), " (option ", in_quotes(option), ")"));
}

gid_t group_id(const std::string& name, const std::string& option) {
  if (const group* entry = getgrnam(name.c_str()); entry != nullptr) return entry->gr_gid;
  if (const auto number = numeric_id(name)) return *number;
  fail_start(ExitStatus::configuration,
             concat("no such group: ", in_quotes(name), " (option ", in_quotes(option), ")"));
}

Credentials resolve_credentials(const std::string& user, const std::string& group) {
  Credentials result;
  result.user = user.empty() ? geteuid() : user_id(user, "user");
  result.group = !group.empty() ? group_id(group, "group")
                 : user.empty() ? getegid()
                                : primary_group(result.user);
  result.change =
      result.user != geteuid() || result.group != getegid() || (geteuid() == 0 && !user.empty());
  if (result.change && geteuid() != 0) {
    const bool by_user = result.user != geteuid();
    fail_start(
        ExitStatus::system,
        concat("cannot change to ", by_user ? "user " : "group ", in_quotes(by_user ? user : group),
               ": not started as root (option ", by_user ? "\"user\")" : "\"group\")"));
  }
  if (result.change) result.groups = supplementary_groups(result.user, result.group);
  return result;
}

Credentials worker_credentials(const PoolSettings& pool) {
  Credentials credentials = resolve_credentials(pool.user, pool.group);
  if (credentials.user == 0 && !pool.allow_root) {
    fail_start(ExitStatus::configuration,
               "workers would run as root; name another user (option \"user\"), or allow it "
               "(option \"allow-root\")");
  }
  return credentials;
}

std::string user_name(uid_t user) {
  const passwd* entry = getpwuid(user);
  return entry == nullptr ? std::to_string(user) : entry->pw_name;
}

bool drop_privileges(const Credentials& credentials) {
  if (credentials.change &&
      (setgroups(credentials.groups.size(), credentials.groups.data()) != 0 ||
       setresgid(credentials.group, credentials.group, credentials.group) != 0 ||
       setresuid(credentials.user, credentials.user, credentials.user) != 0)) {
    return false;
  }
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

bool die_with_parent(pid_t parent) {
  return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

}  // namespace pycgid
