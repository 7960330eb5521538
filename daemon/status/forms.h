// The forms of the status: plain text with php-fpm's look, JSON, OpenMetrics 1.0, and a table for
// people. Pure.
#pragma once

#include "daemon/status/report.h"

#include <span>
#include <string>
#include <string_view>

namespace pycgid {

inline constexpr std::string_view kOpenMetricsType =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

// --- one pool, for option "status-path" ----------------------------------------------------------
// `full` adds the workers and their requests.
std::string plain_text(const PoolReport& pool, bool full);
// One object, in one line.
std::string json(const PoolReport& pool, bool full);
std::string openmetrics(std::span<const PoolReport> pools);

// --- the whole daemon, for pycgidctl -------------------------------------------------------------
std::string table(const DaemonReport& daemon);
// One object, in one line.
std::string json(const DaemonReport& daemon);
std::string openmetrics(const DaemonReport& daemon);

// In the form that is named "table", "json" or "openmetrics".
std::string status_text(const DaemonReport& daemon, std::string_view form);

}  // namespace pycgid
