// The pages that the gateway answers itself: options "status-path" and "ping-path".
#pragma once

#include "daemon/gateway/exchange.h"

#include <optional>
#include <string>
#include <string_view>

namespace pycgid {

// The whole CGI response for a request of this full path and query string, if it is ours.
std::optional<std::string> own_page(const ExchangeContext& context, std::string_view path,
                                    std::string_view query);

}  // namespace pycgid
