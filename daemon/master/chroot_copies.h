// Option "chroot": the workers' own files, boot.py and the modules, have to be below the new root,
// at their usual path.
#pragma once

#include "daemon/settings.h"

namespace pycgid {

// Whether the files there are those of this daemon, and not of an older one. Throws StartupError,
// status 78, saying what to do.
void check_chroot_copies(const Settings& settings, const PoolSettings& pool);

}  // namespace pycgid
