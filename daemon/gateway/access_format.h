// Option "access-format": Apache's % codes and ours, compiled once into a list of items, each of
// which appends its part of a line. Immutable after compile(); the gateway's thread.
#pragma once

#include "daemon/gateway/access_record.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pycgid {

class AccessFormat {
 public:
  // "common", "combined", "json", or a text with codes. Returns what is wrong with it, "" when
  // nothing is.
  std::string compile(std::string_view format);

  // Appends one line, with its end.
  void append(std::string& line, const AccessRecord& record) const;

  // --- what an item is made of (access_codes.h) ---
  // Text from outside or not, unescaped; empty: none. `argument` is that of the code.
  using Text = std::string_view (*)(const AccessRecord& record, std::string_view argument);
  using Number = std::optional<std::uint64_t> (*)(const AccessRecord& record);
  // Appends text that needs no escaping.
  using Raw = void (*)(std::string& line, const AccessRecord& record, std::string_view argument);

 private:
  // One of the three, or none: `text` as it stands.
  struct Item {
    std::string text;
    Text text_of = nullptr;
    Number number_of = nullptr;
    Raw append = nullptr;
  };

  std::string add_code(std::string_view& rest);
  void add_literal(std::string_view text);
  void compile_json();
  void append_item(std::string& line, const Item& item, const AccessRecord& record) const;

  std::vector<Item> items_;
  bool json_ = false;
};

}  // namespace pycgid
