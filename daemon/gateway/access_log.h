// A pool's access log: lines are collected during a turn of the loop and leave in one write, each
// of them whole. A log that cannot be written loses lines, which is reported once, and never stops
// the service. The gateway's thread only.
#pragma once

#include "daemon/gateway/access_format.h"
#include "daemon/gateway/access_record.h"
#include "daemon/gateway/line_file.h"
#include "daemon/settings.h"
#include "daemon/syslog_socket.h"
#include "pyhost/unique_fd.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pycgid {

class AccessLog {
 public:
  // `pool` outlives the log. Unless they go to the system's log, lines are lost until open().
  explicit AccessLog(const PoolSettings& pool);

  // Option "access-log" is not off.
  bool is_on() const { return !pool_.access_log.empty(); }
  // The options have changed; flush() came before that.
  void reconfigure();
  // They go there from now on.
  void open(pyhost::UniqueFd fd);

  // Appends the line of a request that has ended now.
  void add(AccessRecord& record);
  // At the end of a turn.
  void flush();

 private:
  // Returns what could not be sent, and errno tells why.
  std::string_view send(std::string_view lines);
  std::string object() const;

  const PoolSettings& pool_;
  AccessFormat format_;
  std::string buffer_;
  LineFile file_;
  std::optional<SyslogSocket> syslog_;  // in place of file_
  LostLines lost_;
  AccessRecord::Received last_received_;  // spares taking the same second apart again
};

// The records of a connection that wait for their last byte to leave.
class UnsentRecords {
 public:
  bool empty() const { return waiting_.empty(); }
  // The answer ends at byte `end` of what the connection sends.
  void add(AccessRecord record, std::uint64_t end);
  // The socket has taken `sent` bytes so far.
  void sent(std::uint64_t sent, Clock::time_point now, AccessLog& log);
  // No more can be sent.
  void lost(Clock::time_point now, AccessLog& log);

 private:
  struct Entry {
    std::uint64_t end;
    AccessRecord record;
  };
  std::vector<Entry> waiting_;  // in the order of `end`
};

}  // namespace pycgid
