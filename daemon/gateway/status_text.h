// The forms of a status page: plain text with php-fpm's look, JSON, OpenMetrics 1.0. Pure.
#pragma once

#include "daemon/gateway/status_report.h"

#include <span>
#include <string>
#include <string_view>

namespace pycgid {

inline constexpr std::string_view kOpenMetricsType =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

// `full` adds the workers and their requests.
std::string plain_text(const PoolReport& pool, bool full);
// One object, in one line.
std::string json(const PoolReport& pool, bool full);
std::string openmetrics(std::span<const PoolReport> pools);

}  // namespace pycgid
