// Descriptors that connections must leave for everything else: channels of new workers, temporary
// files, logs. The system gives out the lowest free number, so that a high one tells that few are
// left. The gateway's thread only.
#pragma once

namespace pycgid {

class DescriptorReserve {
 public:
  DescriptorReserve() { read_limit(); }

  // `fd`, just opened, is the last one before the reserve.
  bool is_reached_by(int fd) const { return fd + 1 >= first_; }
  // Whether there is one before the reserve; a few system calls, and the limit is read anew.
  bool is_out_of_reach();

 private:
  void read_limit();

  int first_ = 0;
};

}  // namespace pycgid
