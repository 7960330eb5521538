// The gateway's answers to the master's questions, for pycgidctl.
#pragma once

#include "daemon/gateway/pools.h"
#include "daemon/link.h"

namespace pycgid {

Message answer_to(const Message& message, const Pools& pools);

}  // namespace pycgid
