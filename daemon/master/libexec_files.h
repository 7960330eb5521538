// The workers' own files as they were when the daemon was started. An upgrade replaces them while
// the daemon still runs, and boot.py or a module of another version would not understand it: until
// it is restarted, its workers start from the files that it holds open. Used on the master's
// thread.
#pragma once

#include "pyhost/unique_fd.h"

#include <string>
#include <sys/stat.h>
#include <vector>

namespace pycgid {

class LibexecFiles {
 public:
  struct File {
    std::string name;
    pyhost::UniqueFd fd;
    struct stat status;  // when it was opened
  };

  // Opens the scripts and modules in `directory`; without those that cannot be opened.
  explicit LibexecFiles(std::string directory);

  // Whether workers have to be given the open files, because others, or none, are installed by
  // now.
  bool are_replaced() const;
  // In the log, the first time.
  void tell_of_replacement();

  const std::string& directory() const { return directory_; }
  const std::vector<File>& files() const { return files_; }

 private:
  std::string directory_;
  std::vector<File> files_;
  bool told_ = false;
};

}  // namespace pycgid
