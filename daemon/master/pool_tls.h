// Certificate, key and client authorities of a pool in the master: read with its rights, checked,
// and sent to each gateway. Workers never have them: they are exec'd, and the descriptors are
// closed before. The master's one thread.
#pragma once

#include "daemon/settings.h"
#include "daemon/tls/tls_pem.h"

#include <optional>

namespace pycgid {

// Reads the files; empty for a pool without TLS. A certificate that is not valid at present is only
// warned of. Throws StartupError.
std::optional<TlsPem> load_tls(const PoolSettings& settings);

// Reads them again. When they do not do, that is logged, and what is given is returned.
TlsPem reload_tls(const PoolSettings& settings, const TlsPem& before);

// Whether both name the same files.
bool has_same_tls(const PoolSettings& one, const PoolSettings& other);

}  // namespace pycgid
