// Collects a pool's figures for its status. The gateway's thread only.
#pragma once

#include "daemon/gateway/exchange.h"
#include "daemon/status/report.h"

namespace pycgid {

PoolReport report_of(const ExchangeContext& context);

}  // namespace pycgid
