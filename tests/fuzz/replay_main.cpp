// Runs a fuzz target over the files of a corpus, without libFuzzer: a regression test for any
// compiler. Usage: TARGET FOLDER. A folder without files is a failure.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int replay(const std::filesystem::path& folder) {
  std::error_code error;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string bytes = read_file(entry.path());
    std::printf("%s: %zu bytes\n", entry.path().filename().c_str(), bytes.size());
    std::fflush(stdout);  // so that the last line names the file that broke a property
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    ++files;
  }
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  const int files = argc == 2 ? replay(argv[1]) : 0;
  std::printf("%d inputs replayed\n", files);
  return files > 0 ? 0 : 1;
}
