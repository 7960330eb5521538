// What ps(1) shows for a process: "pycgid: master".
#pragma once

#include <span>
#include <string_view>

namespace pycgid {

class ProcessTitle {
 public:
  // Takes over the memory of argv's strings, which must not be used afterwards.
  ProcessTitle(int argc, char** argv);

  // For this process, whose name is "pycgid" in any case; cut to the room that the command line
  // had.
  void set(std::string_view title) const;

 private:
  std::span<char> area_;
};

}  // namespace pycgid
