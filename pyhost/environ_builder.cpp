#include "pyhost/environ_builder.h"

#include "pyhost/params.h"

#include <cstring>

namespace pyhost {
namespace {

constexpr std::size_t kProbes = 8;
constexpr std::size_t kMaxName = 64;
// Interned names never die in some versions of CPython (3.12 at least), and clients make names up.
constexpr std::size_t kMaxInterned = 1024;

std::uint64_t load_word(const char* from) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, sizeof word);
  return word;
}

// Not against an enemy: colliding names only lose the short cut.
std::size_t hash(std::string_view name) {
  constexpr std::uint64_t kFactor = 0x9E3779B97F4A7C15;
  std::uint64_t result = name.size();
  if (name.size() < sizeof(std::uint64_t)) {
    for (const char c : name) result = (result ^ static_cast<unsigned char>(c)) * kFactor;
  } else {
    const std::size_t last = name.size() - sizeof(std::uint64_t);
    for (std::size_t i = 0; i < last; i += sizeof(std::uint64_t)) {
      result = (result ^ load_word(name.data() + i)) * kFactor;
      result ^= result >> 32;
    }
    result = (result ^ load_word(name.data() + last)) * kFactor;
  }
  return static_cast<std::size_t>(result >> 32);
}

// `text` is one of ours: a latin-1 str.
std::string_view view(const PyRef& text) {
  return {reinterpret_cast<const char*>(PyUnicode_1BYTE_DATA(text.get())),
          static_cast<std::size_t>(PyUnicode_GET_LENGTH(text.get()))};
}

PyRef decode(std::string_view bytes) {
  return PyRef::steal(
      PyUnicode_DecodeLatin1(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), nullptr));
}

}  // namespace

bool EnvironBuilder::begin(PyObject* constants) {
  template_ = PyRef::steal(PyDict_Copy(constants));
  others_ = PyRef::steal(PyDict_New());
  return template_ && others_;
}

PyRef EnvironBuilder::build(std::string_view params) {
  ++request_;
  present_ = 0;
  if (PyDict_Size(others_.get()) > 0) PyDict_Clear(others_.get());
  ParamsReader reader(params);
  std::string_view name;
  std::string_view value;
  while (reader.next(name, value)) {
    if (!add(name, value)) return {};
  }
  if (present_ < in_template_ && !remove_absent()) return {};
  auto environ = PyRef::steal(PyDict_Copy(template_.get()));
  if (!environ) return {};
  const bool more = PyDict_Size(others_.get()) > 0;
  if (more && PyDict_Update(environ.get(), others_.get()) < 0) return {};
  return environ;
}

std::string_view EnvironBuilder::value(std::string_view name) {
  const auto [entry, has_name] = find(name);
  return has_name && entry->request == request_ ? view(entry->value) : std::string_view();
}

bool EnvironBuilder::add(std::string_view name, std::string_view value) {
  const auto [entry, has_name] = find(name);
  if (entry == nullptr) {
    const PyRef key = decode(name);
    const PyRef text = key ? decode(value) : PyRef();
    return text && PyDict_SetItem(others_.get(), key.get(), text.get()) == 0;
  }
  if (!has_name && !rename(*entry, name)) return false;
  if (entry->request != request_) ++present_;
  entry->request = request_;
  if (entry->value && view(entry->value) == value) return true;
  PyRef text = decode(value);
  if (!text || PyDict_SetItem(template_.get(), entry->name.get(), text.get()) < 0) return false;
  if (!entry->value) ++in_template_;
  entry->value = std::move(text);
  return true;
}

// The entry that has this name; else one to give it: a free one, or one whose variable this request
// has not had so far; else null. Entries never become free again, so a free one ends the search.
EnvironBuilder::Found EnvironBuilder::find(std::string_view name) {
  if (name.size() > kMaxName) return {nullptr, false};
  const std::size_t home = hash(name);
  Entry* spare = nullptr;
  for (std::size_t i = 0; i < kProbes; ++i) {
    Entry& entry = entries_[(home + i) % kEntries];
    if (!entry.name) return {spare != nullptr ? spare : &entry, false};
    if (view(entry.name) == name) return {&entry, true};
    if (spare == nullptr && entry.request != request_) spare = &entry;
  }
  return {spare, false};
}

bool EnvironBuilder::rename(Entry& entry, std::string_view name) {
  PyObject* text = decode(name).release();
  if (text == nullptr) return false;
  if (names_interned_ < kMaxInterned) {
    ++names_interned_;
    PyUnicode_InternInPlace(&text);
  }
  const bool removed = remove(entry);
  entry.name = PyRef::steal(text);
  return removed;
}

bool EnvironBuilder::remove(Entry& entry) {
  if (!entry.value) return true;
  entry.value.reset();
  --in_template_;
  return PyDict_DelItem(template_.get(), entry.name.get()) == 0;
}

bool EnvironBuilder::remove_absent() {
  for (Entry& entry : entries_) {
    if (entry.request != request_ && !remove(entry)) return false;
  }
  return true;
}

}  // namespace pyhost
