// Makes the environ of each request, as cheaply as possible (INTERPRETERS.md section 6).
//
// A private template dict holds the last request's variables beside the constant wsgi.* keys. Most
// values of the next request are the same: only those that changed are decoded and set, those that
// did not come are removed, and the application gets a copy. Names are kept in a table of bounded
// size, so that whatever clients send, it does not grow. One builder for each request thread: it
// needs no lock in builds without a GIL. Attached.
#pragma once

#include "pyhost/py_ref.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace pyhost {

class EnvironBuilder {
 public:
  // `constants` is copied. False, with an exception set, when that fails.
  bool begin(PyObject* constants);

  // A new builtin dict with the constants and the variables of `params` (params.h), as str of
  // latin-1; an empty reference with an exception set when memory is short.
  PyRef build(std::string_view params);

  // A variable of the request that was built last, or an empty view. Valid until the next one.
  std::string_view value(std::string_view name);

 private:
  struct Entry {
    PyRef name;                 // a str; empty: the entry is free
    PyRef value;                // a str; empty: the template has no such variable
    std::uint64_t request = 0;  // the last one that had it
  };

  bool add(std::string_view name, std::string_view value);
  struct Found {
    Entry* entry;  // null: the table has no room for the name
    bool has_name;
  };
  Found find(std::string_view name);
  bool rename(Entry& entry, std::string_view name);
  bool remove(Entry& entry);
  bool remove_absent();

  static constexpr std::size_t kEntries = 256;  // a power of two
  std::array<Entry, kEntries> entries_;
  PyRef others_;  // a dict: those of this request for which the table has no room
  PyRef template_;
  std::uint64_t request_ = 0;
  std::size_t in_template_ = 0;
  std::size_t present_ = 0;  // of those, how many this request has
  std::size_t names_interned_ = 0;
};

}  // namespace pyhost
