#include "daemon/master/worker_place.h"

#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <cerrno>
#include <string_view>
#include <unistd.h>

namespace pycgid {

void enter_worker_place(const PoolSettings& pool, const Credentials& credentials,
                        const LookReporter& reporter) {
  if (!pool.chroot.empty()) reporter.at("chroot");
  if (!pool.chroot.empty() && (::chroot(pool.chroot.c_str()) != 0 || ::chdir("/") != 0)) {
    const int error = errno;
    const std::string_view advice = error == EPERM ? "; this takes root" : "";
    const bool is_refused = error == EPERM || error == EACCES;
    fail_start(is_refused ? ExitStatus::system : ExitStatus::configuration,
               concat("cannot change the root directory to ", in_quotes(pool.chroot), ": ",
                      reason(error), " ", pool.places.text("chroot"), advice));
  }
  if (!drop_privileges(credentials)) {
    fail_start(ExitStatus::system, concat("cannot change to user ", in_quotes(pool.user), ": ",
                                          reason(errno), " ", pool.places.text("user")));
  }
  if (!reporter.die_with_master()) {
    fail_start(ExitStatus::system, "the master is gone");
  }
}

}  // namespace pycgid
