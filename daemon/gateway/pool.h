// One pool, as the gateway runs it: its queue and workers, and its logs. The gateway's thread only.
#pragma once

#include "daemon/gateway/access_log.h"
#include "daemon/gateway/dispatcher.h"
#include "daemon/gateway/event_loop.h"
#include "daemon/gateway/exchange.h"
#include "daemon/gateway/slow_log.h"
#include "daemon/settings.h"

#include <memory>
#include <utility>

namespace pycgid {

struct Pool {
  Pool(EventLoop& loop, const Settings& settings, const PoolSettings& pool_settings,
       Dispatcher::TellMaster tell_master)
      : dispatcher(loop, pool_settings, std::move(tell_master)),
        access_log(pool_settings.access_log.empty() ? nullptr
                                                    : std::make_unique<AccessLog>(pool_settings)),
        context{loop, dispatcher, pool_settings, settings, access_log.get()} {}

  Dispatcher dispatcher;
  std::unique_ptr<AccessLog> access_log;  // null: off
  SlowLog slow_log;
  ExchangeContext context;
  bool opened = false;  // its listeners are watched
};

}  // namespace pycgid
