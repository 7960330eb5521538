// Where options were given, for messages about their values. Filled by configuration.cpp alone.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace pycgid {

class OptionPlaces {
 public:
  // `where` is "pycgid.conf:12"; empty: on the command line.
  void note(std::string_view option, const std::string& where) {
    if (!where.empty()) places_.insert_or_assign(std::string(option), where);
  }
  // `(option "user", pycgid.conf:12)`, or without the place when it is not known; for the end of a
  // message.
  std::string text(std::string_view option) const {
    const auto place = places_.find(option);
    const std::string where = place == places_.end() ? "" : ", " + place->second;
    return std::string("(option \"").append(option).append("\"").append(where).append(")");
  }

  // The same for `(option "user")` in a message of somebody who does not know the places.
  std::string complete(std::string_view message) const {
    std::string result(message);
    for (const auto& [option, place] : places_) {
      const std::string bare = std::string("(option \"").append(option).append("\")");
      const std::size_t at = result.find(bare);
      if (at != std::string::npos) result.replace(at, bare.size(), text(option));
    }
    return result;
  }

  // Settings that say the same are the same, wherever they were written.
  bool operator==(const OptionPlaces&) const { return true; }

 private:
  std::map<std::string, std::string, std::less<>> places_;
};

}  // namespace pycgid
