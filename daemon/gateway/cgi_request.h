// One request's variables, as the front server sent them, and made into what the application sees
// (CONTRACT.md, "What the application sees"; FRONTS.md 3.9). Pure; used on the gateway's thread.
#pragma once

#include "daemon/gateway/text_arena.h"
#include "pyhost/params.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pycgid {

struct RequestRules {
  std::string_view mount;             // "" or "/prefix", without a slash at its end
  bool path_info_from_front = false;  // SCRIPT_NAME and PATH_INFO are taken as sent
};

struct Refusal {
  int status = 0;  // 400, or 431 for too many variables
  std::string reason;
};

enum class Known : std::uint8_t;  // cgi_names.h

// What happens to a variable that comes more than once (nginx before 1.23 repeats a client's
// repeated headers, and an fastcgi_param may override one of the stock file):
// - HTTP_* of a header that is a list (single_headers.h): the values that are not empty are joined
//   in the order of arrival, with "; " for HTTP_COOKIE and ", " for all others;
// - any other: the last one wins, also an empty one.
// Dropped on arrival: names without a character, HTTP_CONTENT_LENGTH, HTTP_CONTENT_TYPE,
// HTTP_TRANSFER_ENCODING, HTTP_PROXY, and wsgi.* and pycgid.*, which nobody outside may set.
class CgiRequest {
 public:
  // As nginx's max_headers. Keeps the search for repeated names cheap whatever is sent.
  static constexpr std::size_t kMaxVariables = 1000;
  // Those of Known that are kept track of.
  static constexpr std::size_t kKnownNames = 20;

  // Forgets everything but keeps its memory, up to 64 KiB, for the next request.
  void clear();

  // One variable, in the order of arrival. Copies.
  void add(std::string_view name, std::string_view value);

  // All variables are here: normalises them, once.
  std::optional<Refusal> finish(const RequestRules& rules);

  // --- after finish() ---
  // The value, or an empty view. Valid until the next non-const call.
  std::string_view get(std::string_view name) const;
  std::string_view method() const;
  // The full path, which pages of the gateway's own are told by.
  std::string_view path() const { return view(path_); }
  // REQUEST_URI, or the full path where the front sent none. For log lines.
  std::string_view uri() const;
  // What the front declared; empty and -1 count as absent.
  std::optional<std::uint64_t> content_length() const { return content_length_; }
  bool is_head() const;
  // The front passed an Upgrade header (FRONTS.md 3.8): its STDIN may stay open.
  bool wants_upgrade() const;

  // The length of a buffered body whose length the front did not give.
  void set_content_length(std::uint64_t length);

  // False when they don't fit.
  bool write(pyhost::ParamsWriter& writer) const;

  std::size_t bytes() const { return text_.size(); }

 private:
  using Slice = TextArena::Slice;
  struct Variable {
    Slice name;  // empty: dropped, or a later piece of a repeated one
    Slice value;
    std::uint16_t next_piece = 0;  // index + 1 of the same variable's next value
  };

  std::string_view view(Slice slice) const { return text_.view(slice); }
  Slice value(Known known) const;
  void set(Known known, Slice value);
  void drop(Known known);

  void push(Known known, std::string_view name, std::string_view value);
  std::uint16_t find(Known known, std::string_view name) const;
  bool first_sight(std::string_view name);
  void add_again(Variable& earlier, std::string_view value);
  void add_piece(Variable& earlier, Slice value);
  void join_pieces();
  void join(Variable& first);

  std::optional<Refusal> check_method() const;
  std::optional<Refusal> take_content_length();
  std::optional<Refusal> set_paths(const RequestRules& rules);
  void set_query_string();
  void set_server();
  void set_default(Known known, std::string_view text);
  Slice server_address();
  void set_scheme();

  Slice uri_path() const;
  Slice decoded(Slice encoded);
  Slice full_path();
  Slice concatenated(Slice script_name, Slice path_info);
  bool is_encoded_tail(Slice path_info, Slice whole);
  Slice without_index_name(Slice path, Slice uri_path);
  bool was_stripped(std::string_view mount);
  void take_paths_as_sent();
  void split_path(Slice path, std::uint32_t script_name_size);
  bool is_https() const;

  TextArena text_;  // names and values, one after the other
  std::vector<Variable> variables_;
  std::array<std::uint16_t, kKnownNames> slots_{};  // index + 1 into variables_
  std::array<std::uint64_t, 4> seen_{};             // 256 bits: see first_sight()
  Slice path_;                                      // the full path
  std::optional<std::uint64_t> content_length_;
  bool repeated_ = false;
  bool too_many_ = false;
};

}  // namespace pycgid
