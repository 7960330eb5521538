// Where boot.py and the modules are, see libexec.h.
#include "daemon/libexec.h"

#include "daemon/startup_error.h"
#include "daemon/text.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <sys/auxv.h>
#include <system_error>

namespace pycgid {

namespace fs = std::filesystem;

namespace {

// Without /proc it is found by the name that it was started by.
fs::path own_directory() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) return program.parent_path();
  const auto* const name = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
  return name == nullptr ? fs::path() : fs::canonical(name, error).parent_path();
}

}  // namespace

std::string find_libexec_dir() {
  std::error_code error;
  const fs::path program = own_directory();
  for (const fs::path& directory :
       {program / "pyhost", program.parent_path() / PYCGID_LIBEXEC_SUBDIR,
        fs::path(PYCGID_LIBEXEC_DIR)}) {
    if (fs::exists(directory / "boot.py", error)) return directory.string();
  }
  fail_start(ExitStatus::system, concat("cannot find boot.py in ", in_quotes(PYCGID_LIBEXEC_DIR),
                                        "; the installation is incomplete"));
}

std::vector<std::string> built_pythons(const std::string& libexec_dir) {
  constexpr std::string_view kPrefix = "pycgid_host.";
  constexpr std::string_view kSuffix = ".so";
  std::vector<std::string> pythons;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(libexec_dir, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;
    if (name.size() <= kPrefix.size() + kSuffix.size()) continue;
    pythons.push_back(name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size()));
  }
  std::ranges::sort(pythons);
  return pythons;
}

std::string version_text() {
  std::string text = "pycgid " PYCGID_VERSION "\n";
  const std::string directory = find_libexec_dir();
  for (const std::string& python : built_pythons(directory)) {
    text += concat("built for ", python, " in ", directory, "\n");
  }
  return text;
}

}  // namespace pycgid
