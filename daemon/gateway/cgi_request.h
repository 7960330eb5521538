// One request's variables, as the front server sent them, and made into what the application sees
// (CONTRACT.md, "What the application sees"; FRONTS.md 3.9). Pure; used on the gateway's thread.
#pragma once

#include "pyhost/params.h"

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
  int status = 0;  // 400
  std::string reason;
};

class CgiRequest {
 public:
  // Forgets everything but keeps its memory, for the next request.
  void clear();

  // One variable, in the order of arrival. Copies.
  void add(std::string_view name, std::string_view value);

  // All variables are here: normalises them, once. A refusal means 400.
  std::optional<Refusal> finish(const RequestRules& rules);

  // --- after finish() ---
  // The value, or an empty view. Valid until the next non-const call.
  std::string_view get(std::string_view name) const;
  std::string_view method() const;
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
  struct Variable {
    std::uint32_t name_at = 0, name_size = 0;
    std::uint32_t value_at = 0, value_size = 0;
  };
  std::string text_;
  std::vector<Variable> variables_;
  std::optional<std::uint64_t> content_length_;
};

}  // namespace pycgid
