#include "daemon/gateway/own_pages.h"

#include "daemon/gateway/status_report.h"
#include "daemon/status/forms.h"
#include "daemon/text.h"

#include <algorithm>

namespace pycgid {
namespace {

// Whether "a&b&c" has the word as one of its parts.
bool asks_for(std::string_view query, std::string_view word) {
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    if (part == word) return true;
    query.remove_prefix(std::min(part.size() + 1, query.size()));
  }
  return false;
}

std::string response(std::string_view type, std::string_view body) {
  return concat("Content-Type: ", type, "\r\nContent-Length: ", body.size(),
                "\r\nCache-Control: no-store\r\nStatus: 200 OK\r\n\r\n", body);
}

std::string status_page(const ExchangeContext& context, std::string_view query) {
  const bool full = asks_for(query, "full");
  const PoolReport report = report_of(context);
  if (asks_for(query, "openmetrics")) return response(kOpenMetricsType, openmetrics({&report, 1}));
  if (asks_for(query, "json")) return response("application/json", json(report, full) + "\n");
  return response("text/plain; charset=utf-8", plain_text(report, full));
}

}  // namespace

std::optional<std::string> own_page(const ExchangeContext& context, std::string_view path,
                                    std::string_view query) {
  if (path.empty()) return std::nullopt;
  if (path == context.pool.ping_path) return response("text/plain", "pong\n");
  if (path == context.pool.status_path) return status_page(context, query);
  return std::nullopt;
}

}  // namespace pycgid
