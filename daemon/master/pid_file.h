// Option "pidfile": the master's pid, for init scripts. Used by the master alone.
#pragma once

#include "daemon/option_places.h"

#include <string>
#include <sys/types.h>

namespace pycgid {

class PidFile {
 public:
  // `path` as in option "pidfile"; empty: there is none. Throws StartupError when the file names a
  // pycgid that runs, or is not a pid file at all.
  explicit PidFile(const std::string& path, const OptionPlaces& places = {});
  // Throws StartupError when it cannot be written there, and changes nothing; a running daemon's is
  // no fault.
  static void check(const std::string& path, const OptionPlaces& places);
  // Removes the file if it is ours.
  ~PidFile();
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;

  // In the process that will serve: writes the file under a temporary name, so that what does not
  // work is known early. Throws StartupError.
  void prepare();
  // The daemon serves: the file gets its name, in one step; a stale one goes.
  void publish();
  // Writes the file again when it was removed; one that was replaced is left alone, and told of.
  void tend();
  bool is_published() const { return published_; }

 private:
  // Both return why it could not be done; empty: it is.
  std::string write_temporary();
  std::string put_in_place();
  void write_again();
  void tell_once(std::string text);

  std::string path_;
  std::string option_;     // and where it was given, for messages
  std::string temporary_;  // empty: not prepared
  std::string trouble_;    // that was told
  dev_t device_ = 0;       // with inode_: the file, published or not
  ino_t inode_ = 0;
  bool published_ = false;
};

}  // namespace pycgid
