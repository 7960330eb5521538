// Normalising a request's variables. This is on the path of every request: names are recognised by
// their length, every value is copied once, and values are replaced by pointing elsewhere.
#include "daemon/gateway/cgi_request.h"

#include "daemon/gateway/cgi_names.h"
#include "daemon/gateway/http_syntax.h"
#include "daemon/gateway/single_headers.h"
#include "daemon/gateway/url_path.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace pycgid {

namespace {

constexpr std::string_view kServerSoftware = "pycgid/" PYCGID_VERSION;
constexpr std::size_t kKeptCapacity = std::size_t{64} * 1024;
// What most requests of browsers fit into: grown from nothing, memory is asked for, and copied, a
// dozen times.
constexpr std::size_t kUsualText = std::size_t{2} * 1024;
constexpr std::size_t kUsualVariables = 48;

bool is_reserved(std::string_view name) {
  return name.starts_with("wsgi.") || name.starts_with("pycgid.");
}

// Caddy 2.6 sends -1 for a chunked body, nginx sends nothing between the quotes.
bool is_absent_length(std::string_view value) {
  return value.empty() || value == "-1";
}

std::uint32_t size32(std::size_t size) {
  return static_cast<std::uint32_t>(size);
}

}  // namespace

static_assert(CgiRequest::kKnownNames == index_of(Known::other));

void CgiRequest::clear() {
  text_.clear(kKeptCapacity);
  variables_.clear();
  slots_ = {};
  seen_ = {};
  path_ = {};
  content_length_.reset();
  repeated_ = too_many_ = false;
}

void CgiRequest::add(std::string_view name, std::string_view value) {
  const Known known = recognise(name);
  if (known == Known::dropped || is_reserved(name)) return;
  if (variables_.size() == kMaxVariables) {
    too_many_ = true;
    return;
  }
  const bool is_new = known == Known::other && first_sight(name);
  const std::uint16_t earlier = is_new ? std::uint16_t{0} : find(known, name);
  if (earlier != 0) return add_again(variables_[earlier - 1U], value);
  push(known, name, value);
}

// A Bloom filter with one hash, over the names that have no slot: true when this one certainly did
// not come before. Spares nearly all names the search.
bool CgiRequest::first_sight(std::string_view name) {
  std::uint64_t tail = name.size();
  const std::size_t used = std::min(name.size(), sizeof tail);
  if (used == sizeof tail) {
    std::memcpy(&tail, name.data() + name.size() - sizeof tail, sizeof tail);
  } else {
    for (const char c : name) tail = (tail << 8) | static_cast<unsigned char>(c);
  }
  const std::uint64_t hash = ((tail + name.size()) * 0x9E3779B97F4A7C15) >> 56;
  std::uint64_t& word = seen_[hash >> 6];
  const std::uint64_t bit = std::uint64_t{1} << (hash & 63);
  const bool first = (word & bit) == 0;
  word |= bit;
  return first;
}

void CgiRequest::push(Known known, std::string_view name, std::string_view value) {
  if (variables_.empty()) {
    text_.reserve(kUsualText);
    variables_.reserve(kUsualVariables);
  }
  Variable variable;
  variable.name = text_.append(name);
  variable.value = text_.append(value);
  variables_.push_back(variable);
  if (known < Known::other) slots_[index_of(known)] = static_cast<std::uint16_t>(variables_.size());
}

// The index + 1 of a variable, 0 when there is none.
std::uint16_t CgiRequest::find(Known known, std::string_view name) const {
  if (known < Known::other) return slots_[index_of(known)];
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    if (view(variables_[i].name) == name) return static_cast<std::uint16_t>(i + 1);
  }
  return 0;
}

void CgiRequest::add_again(Variable& earlier, std::string_view value) {
  if (is_list_header(view(earlier.name))) return add_piece(earlier, text_.append(value));
  if (view(earlier.value) != value) earlier.value = text_.append(value);
}

// Pieces are joined by finish(): joining on arrival would copy the first ones over and over.
void CgiRequest::add_piece(Variable& earlier, Slice value) {
  Variable* last = &earlier;
  while (last->next_piece != 0) last = &variables_[last->next_piece - 1U];
  last->next_piece = static_cast<std::uint16_t>(variables_.size() + 1);
  variables_.push_back({{}, value, 0});
  repeated_ = true;
}

std::optional<Refusal> CgiRequest::finish(const RequestRules& rules) {
  if (too_many_) {
    return Refusal{431, "more than " + std::to_string(kMaxVariables) + " variables"};
  }
  if (repeated_) join_pieces();
  if (auto refusal = check_method()) return refusal;
  if (auto refusal = take_content_length()) return refusal;
  if (auto refusal = set_paths(rules)) return refusal;
  if (value(Known::content_type).size == 0) drop(Known::content_type);
  set_query_string();
  set_server();
  set_scheme();
  return std::nullopt;
}

void CgiRequest::join_pieces() {
  for (Variable& variable : variables_) {
    if (variable.name.size != 0 && variable.next_piece != 0) join(variable);
  }
}

void CgiRequest::join(Variable& first) {
  const std::string_view separator = view(first.name) == "HTTP_COOKIE" ? "; " : ", ";
  const std::size_t start = text_.size();
  for (const Variable* piece = &first;; piece = &variables_[piece->next_piece - 1U]) {
    if (piece->value.size != 0) {
      if (text_.size() != start) text_.append(separator);
      text_.append(piece->value);
    }
    if (piece->next_piece == 0) break;
  }
  first.value = text_.since(start);
}

std::optional<Refusal> CgiRequest::check_method() const {
  const Slice method = value(Known::request_method);
  if (method.size == 0) return Refusal{400, "no REQUEST_METHOD"};
  if (!is_token(view(method))) return Refusal{400, "REQUEST_METHOD is not a token"};
  return std::nullopt;
}

std::optional<Refusal> CgiRequest::take_content_length() {
  const std::string_view length = view(value(Known::content_length));
  if (is_absent_length(length)) {
    drop(Known::content_length);
    return std::nullopt;
  }
  content_length_ = parse_content_length(length);
  if (!content_length_) return Refusal{400, "CONTENT_LENGTH is not a number up to 2^63-1"};
  return std::nullopt;
}

void CgiRequest::set_query_string() {
  if (slots_[index_of(Known::query_string)] != 0) return;
  const Slice uri = value(Known::request_uri);
  const std::size_t mark = view(uri).find('?');
  if (mark == std::string_view::npos) return set(Known::query_string, {});
  const std::uint32_t before = size32(mark) + 1;
  set(Known::query_string, {uri.at + before, uri.size - before});
}

void CgiRequest::set_server() {
  const Slice host = value(Known::http_host);
  const std::uint32_t colon = size32(port_colon(view(host)));
  if (value(Known::server_name).size == 0) {
    set(Known::server_name, colon != 0 ? Slice{host.at, colon} : server_address());
  }
  if (value(Known::server_port).size == 0) {
    const bool in_host = colon < host.size;
    set(Known::server_port, in_host ? Slice{host.at + colon + 1, host.size - colon - 1}
                                    : text_.append(is_https() ? "443" : "80"));
  }
  // RFC 3875 wants these, and nginx's scgi_params leaves two of them out.
  set_default(Known::server_protocol, "HTTP/1.0");
  set_default(Known::server_software, kServerSoftware);
  set_default(Known::gateway_interface, "CGI/1.1");
}

void CgiRequest::set_default(Known known, std::string_view text) {
  if (value(known).size == 0) set(known, text_.append(text));
}

// SERVER_ADDR as a SERVER_NAME: an IPv6 address in brackets (RFC 3875 section 4.1.14).
CgiRequest::Slice CgiRequest::server_address() {
  const Slice address = value(Known::server_addr);
  if (address.size == 0) return text_.append("localhost");
  if (view(address).find(':') == std::string_view::npos) return address;
  const std::size_t start = text_.size();
  text_.append("[");
  text_.append(address);
  text_.append("]");
  return text_.since(start);
}

bool CgiRequest::is_https() const {
  const std::string_view flag = view(value(Known::https));
  if (flag == "1" || equals_ignoring_case(flag, "on")) return true;
  return equals_ignoring_case(view(value(Known::request_scheme)), "https");
}

void CgiRequest::set_scheme() {
  push(Known::other, "wsgi.url_scheme", is_https() ? "https" : "http");
}

// As sent, but for a slash at the end of SCRIPT_NAME: it belongs to PATH_INFO.
void CgiRequest::take_paths_as_sent() {
  const Slice sent = value(Known::script_name);
  path_ = concatenated(sent, value(Known::path_info));
  std::uint32_t size = std::min(sent.size, path_.size);
  while (size != 0 && view(path_)[size - 1] == '/') --size;
  split_path(path_, size);
}

std::optional<Refusal> CgiRequest::set_paths(const RequestRules& rules) {
  if (rules.path_info_from_front) {
    take_paths_as_sent();
    return std::nullopt;
  }
  path_ = full_path();
  const std::string_view path = view(path_);
  if (path.find('\0') != path.npos) return Refusal{400, "NUL in the path"};
  if (path.empty() && view(value(Known::fcgi_role)) != "AUTHORIZER") {
    return Refusal{400, "no SCRIPT_NAME, PATH_INFO, DOCUMENT_URI or REQUEST_URI"};
  }
  if (is_below(path, rules.mount)) {
    split_path(path_, size32(rules.mount.size()));
  } else {
    const bool stripped = was_stripped(rules.mount);
    // Caddy makes "endix" of "/appendix" where it takes "/app" off all that begins so.
    if (!stripped && !path.starts_with('/')) path_ = decoded(uri_path());
    set(Known::script_name, stripped ? text_.append(rules.mount) : Slice{});
    set(Known::path_info, path_);
  }
  return std::nullopt;
}

// The front has taken the mount off the path already, unless the URI never was below the mount.
bool CgiRequest::was_stripped(std::string_view mount) {
  const Slice uri = uri_path();
  return uri.size == 0 || is_below(normalised_path(view(decoded(uri))), mount);
}

void CgiRequest::split_path(Slice path, std::uint32_t script_name_size) {
  set(Known::script_name, {path.at, script_name_size});
  set(Known::path_info, {path.at + script_name_size, path.size - script_name_size});
}

CgiRequest::Slice CgiRequest::full_path() {
  const Slice info = value(Known::path_info);
  const Slice sent = concatenated(value(Known::script_name), info);
  const Slice path = sent.size != 0 ? sent : value(Known::document_uri);
  const Slice uri = uri_path();
  if (path.size == 0) return decoded(uri);
  if (has_escape(view(info))) {
    const Slice whole = decoded(uri);
    if (is_encoded_tail(info, whole)) return whole;
  }
  return without_index_name(path, uri);
}

// Apache with proxy-fcgi-pathinfo=1 or proxy-scgi-pathinfo sends PATH_INFO still encoded, and a
// SCRIPT_NAME that overlaps it ("/app/a b" beside "/a%20b"): then REQUEST_URI is the only truth. It
// encodes afresh, so that the tails are the same only once decoded. A PATH_INFO that really holds
// "%20" is no tail once it is decoded again.
bool CgiRequest::is_encoded_tail(Slice path_info, Slice whole) {
  const Slice plain = decoded(path_info);
  return view(whole).ends_with(view(plain));
}

// nginx's `fastcgi_index` and HAProxy's `index` add a name to a path that ends in a slash. nginx
// sends the path without it as DOCUMENT_URI, which tells the name from what a rewrite has made.
CgiRequest::Slice CgiRequest::without_index_name(Slice path, Slice uri_path) {
  const std::size_t slash = view(path).rfind('/');
  if (slash == std::string_view::npos || slash + 1 == path.size) return path;
  const Slice document = value(Known::document_uri);
  if (view(path) == view(document) || view(path) == view(uri_path)) return path;
  const Slice folder{path.at, size32(slash) + 1};
  const Slice asked = document.size != 0 ? document : decoded(uri_path);
  return view(asked) == view(folder) ? folder : path;
}

CgiRequest::Slice CgiRequest::concatenated(Slice script_name, Slice path_info) {
  if (view(script_name).ends_with('/') && view(path_info).starts_with('/')) --script_name.size;
  if (script_name.size == 0) return path_info;
  if (path_info.size == 0) return script_name;
  const std::size_t start = text_.size();
  text_.append(script_name);
  text_.append(path_info);
  return text_.since(start);
}

// The path of REQUEST_URI, still encoded. HTTP/2 clients behind HAProxy send the absolute form
// (haproxy#1232), whose path may be empty and then means "/".
CgiRequest::Slice CgiRequest::uri_path() const {
  const Slice whole = value(Known::request_uri);
  const std::string_view uri = view(whole);
  const std::size_t end = std::min(uri.find('?'), uri.size());
  std::size_t start = 0;
  if (!uri.starts_with('/')) {
    const std::size_t scheme = uri.substr(0, end).find("://");
    if (scheme != uri.npos && uri.find('/') == scheme + 1) {
      start = std::min(uri.find('/', scheme + 3), end);
      // The slash of "://" stands in for the one that is missing.
      if (start == end) return {whole.at + size32(scheme) + 1, 1};
    }
  }
  return {whole.at + size32(start), size32(end - start)};
}

CgiRequest::Slice CgiRequest::decoded(Slice encoded) {
  const bool plain = view(encoded).find('%') == std::string_view::npos;
  return plain ? encoded : text_.append_decoded(encoded);
}

CgiRequest::Slice CgiRequest::value(Known known) const {
  const std::uint16_t slot = slots_[index_of(known)];
  return slot != 0 ? variables_[slot - 1U].value : Slice{};
}

void CgiRequest::set(Known known, Slice value) {
  std::uint16_t& slot = slots_[index_of(known)];
  if (slot == 0) {
    variables_.push_back({text_.append(name_of(known)), value, 0});
    slot = static_cast<std::uint16_t>(variables_.size());
  } else {
    variables_[slot - 1U].value = value;
  }
}

void CgiRequest::drop(Known known) {
  std::uint16_t& slot = slots_[index_of(known)];
  if (slot != 0) variables_[slot - 1U].name.size = 0;
  slot = 0;
}

std::string_view CgiRequest::get(std::string_view name) const {
  const std::uint16_t slot = name.empty() ? std::uint16_t{0} : find(recognise(name), name);
  return slot != 0 ? view(variables_[slot - 1U].value) : std::string_view();
}

std::string_view CgiRequest::method() const {
  return view(value(Known::request_method));
}

std::string_view CgiRequest::uri() const {
  const Slice uri = value(Known::request_uri);
  return view(uri.size != 0 ? uri : path_);
}

bool CgiRequest::is_head() const {
  return method() == "HEAD";
}

bool CgiRequest::wants_upgrade() const {
  return value(Known::http_upgrade).size != 0;
}

void CgiRequest::set_content_length(std::uint64_t length) {
  content_length_ = length;
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), length).ptr;
  const auto size = static_cast<std::size_t>(end - digits.data());
  set(Known::content_length, text_.append({digits.data(), size}));
}

bool CgiRequest::write(pyhost::ParamsWriter& writer) const {
  for (const Variable& variable : variables_) {
    if (variable.name.size == 0) continue;
    if (!writer.add(view(variable.name), view(variable.value))) return false;
  }
  return true;
}

}  // namespace pycgid
