// The interpreter of a pool and what its workers need to read, with the reasons why it does not
// work that administrators meet most: an environment of a Python that is gone, a home that others
// may not search. To be called in the workers' place, see worker_place.h.
#pragma once

#include "daemon/master/look.h"
#include "daemon/settings.h"

#include <string>
#include <vector>

namespace pycgid {

// The path of the program. `environment` is the workers'. Throws StartupError, status 78.
std::string find_python(const Settings& settings, const PoolSettings& pool,
                        const std::vector<std::string>& environment, const LookReporter& reporter);

// Where the workers start: chdir, or where the daemon was started; by name, which each of them
// looks up for itself.
std::string worker_directory(const Settings& settings, const PoolSettings& pool);

// Whether the workers' own files, their directory, pythonpath and the application's file can be
// read. Throws StartupError, status 78.
void check_worker_files(const Settings& settings, const PoolSettings& pool,
                        const LookReporter& reporter);

}  // namespace pycgid
