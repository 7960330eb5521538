// Which request headers are no lists: a second value replaces the first, since joining the two
// makes a value that means neither ("Host: a, b"). Pure.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

namespace pycgid {

// The fields of IANA's HTTP Field Name Registry that a request may have and whose grammar is no
// comma-separated list, and others that are in use. If-* (below) are among them: If-Match and
// If-None-Match are lists by RFC 9110, but no client sends them in parts, and the last part alone
// never makes a condition hold that the whole would not.
constexpr std::string_view kSingleHeaders[] = {
    "ACCEPT_DATETIME",
    "ACCESS_CONTROL_REQUEST_METHOD",
    "ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK",
    "ALT_USED",
    "APPLY_TO_REDIRECT_REF",
    "AUTHORIZATION",
    "AVAILABLE_DICTIONARY",
    "CALDAV_TIMEZONES",
    "CAPSULE_PROTOCOL",
    "CLIENT_CERT",
    "CONCEALED_AUTH_EXPORT",
    "CONTENT_DISPOSITION",
    "CONTENT_ID",
    "CONTENT_LENGTH",
    "CONTENT_LOCATION",
    "CONTENT_MD5",
    "CONTENT_RANGE",
    "CONTENT_TYPE",
    "DATE",
    "DEPTH",
    "DESTINATION",
    "DICTIONARY_ID",
    "DNT",
    "DPOP",
    "EARLY_DATA",
    "FROM",
    "HOST",
    "HTTP2_SETTINGS",
    "IDEMPOTENCY_KEY",
    "LAST_EVENT_ID",
    "LAST_MODIFIED",
    "LOCK_TOKEN",
    "MAX_FORWARDS",
    "MIME_VERSION",
    "ODATA_ISOLATION",
    "ODATA_MAXVERSION",
    "ODATA_VERSION",
    "ORDERING_TYPE",
    "ORIGIN",
    "OSCORE",
    "OSLC_CORE_VERSION",
    "OVERWRITE",
    "PING_FROM",
    "PING_TO",
    "POSITION",
    "PROXY_AUTHORIZATION",
    "RANGE",
    "REDIRECT_REF",
    "REFERER",
    "REPEATABILITY_CLIENT_ID",
    "REPEATABILITY_FIRST_SENT",
    "REPEATABILITY_REQUEST_ID",
    "SCHEDULE_REPLY",
    "SEC_CH_UA_MOBILE",
    "SEC_CH_UA_PLATFORM",
    "SEC_FETCH_DEST",
    "SEC_FETCH_MODE",
    "SEC_FETCH_SITE",
    "SEC_FETCH_STORAGE_ACCESS",
    "SEC_FETCH_USER",
    "SEC_GPC",
    "SEC_PURPOSE",
    "SEC_TOKEN_BINDING",
    "SEC_WEBSOCKET_KEY",
    "SEC_WEBSOCKET_VERSION",
    "SLUG",
    "SOAPACTION",
    "TOPIC",
    "TRACEPARENT",
    "TTL",
    "UPGRADE_INSECURE_REQUESTS",
    "URGENCY",
    "USER_AGENT",
    "X_REAL_IP",
    "X_REQUESTED_WITH",
};
static_assert(std::is_sorted(std::begin(kSingleHeaders), std::end(kSingleHeaders)));

// Whether the values of this variable, when it comes more than once, are joined: an HTTP_* variable
// whose header is a list, or is not known.
constexpr bool is_list_header(std::string_view variable) {
  constexpr std::string_view kPrefix = "HTTP_";
  if (!variable.starts_with(kPrefix)) return false;
  const std::string_view name = variable.substr(kPrefix.size());
  if (name == "IF" || name.starts_with("IF_")) return false;
  return !std::binary_search(std::begin(kSingleHeaders), std::end(kSingleHeaders), name);
}

}  // namespace pycgid
