// The master's loop: waits for signals, for the gateway, for workers' first words and for time to
// pass, and never looks at a request. One thread; poll(2).
#pragma once

#include "daemon/master/control_server.h"
#include "daemon/master/gateway_process.h"
#include "daemon/master/gateway_watch.h"
#include "daemon/master/log_files.h"
#include "daemon/master/message_reader.h"
#include "daemon/master/pool_set.h"
#include "daemon/master/process_title.h"
#include "daemon/master/reconfiguration.h"
#include "daemon/master/service_manager.h"
#include "daemon/master/task_guard.h"
#include "pyhost/unique_fd.h"

#include <cstdint>
#include <optional>
#include <poll.h>
#include <string>
#include <vector>

namespace pycgid {

class Master : private PoolHost, private ControlHost {
 public:
  // Checks users and interpreters, then binds the sockets; nothing is forked yet. All outlive the
  // master; `configuration`, read from `source`, changes when it is read again. Throws
  // StartupError.
  Master(const ConfigSource& source, LoadedConfiguration& configuration, LogFiles& logs,
         const ProcessTitle& title, ServiceManager& service);

  // Returns when everything has ended after a signal. Throws StartupError when no pool starts;
  // nothing is left running then.
  void run();

 private:
  enum class Phase {
    booting,  // until the first pool serves
    serving,
    stopping,  // no more requests are accepted, those in progress are finished
    ending     // everything was killed, and only needs to be reaped
  };

  std::string spawn(std::uint32_t pool, std::uint32_t generation, std::uint32_t number,
                    SpawnedWorker& worker) override;
  void on_take_over(std::uint32_t pool) override;
  void give_up_fork(std::uint32_t pool, std::uint32_t worker) override;
  std::uint32_t next_id() override { return ++last_id_; }
  void tell_gateway(const Message& message) override { gateway_.send(message); }
  bool has_gateway() const override { return gateway_.link_fd() >= 0; }
  void signal_group(pid_t leader, int signal) override;
  std::uint64_t resident_bytes(pid_t pid) override;

  // --- ControlHost: master_control.cpp ---
  pid_t answering_gateway() const override;
  void ask_gateway(std::uint32_t number, const std::string& form) override;
  DaemonReport own_report(const std::string& problem) const override;
  std::string begin_reload(const std::string& pool) override;
  std::optional<ReloadResult> reload_result(const std::string& pool) const override;
  std::string reopen_logs() override;
  void stop() override;

  void boot();
  std::string start_gateway(TimePoint now);
  void replace_gateway(TimePoint now);
  bool is_over() const;
  // One turn of the loop; what any task in it throws is logged, and the others are done.
  void turn();
  std::vector<pollfd> waited_for() const;
  void wait();
  int patience(TimePoint now) const;
  void on_signals();
  void on_signal(int signal);
  void on_messages();
  void on_message(Message& message);
  void on_time(TimePoint now);
  void watch_gateway(TimePoint now);
  void tend_sockets(TimePoint now);
  void reap_children();
  bool is_ours(pid_t pid) const;
  void on_child_exited(pid_t pid, int wait_status);
  void on_gateway_exited(int wait_status, TimePoint now);
  void hear_news();
  void tell_service();
  void on_start_failure(ManagedPool& pool, TimePoint now);
  static void tell_start();
  static void announce_none();
  void announce(const ManagedPool& pool) const;
  void reload();
  void on_reread(std::string complaint);
  void advance_reload(TimePoint now);
  void tell_gateway_all();
  void send_pool_logs();
  void send_logs();
  void fail_boot(StartupError failure);
  void end_all();

  LogFiles& logs_;
  ServiceManager& service_;
  TimePoint started_;
  GatewayProcess gateway_;
  pyhost::UniqueFd signals_;
  PoolSet pools_;
  Reconfiguration reconfiguration_;
  Phase phase_ = Phase::booting;
  bool gateway_ready_ = false;
  bool started_up_ = false;       // every pool has served or failed, and one serves
  bool reload_wanted_ = false;    // when the gateway is ready
  std::string reload_complaint_;  // what was wrong with the configuration then
  std::uint32_t last_id_ = 0;
  GatewayWatch watch_;
  TimePoint sockets_due_{};  // when they are looked at again
  MessageReader messages_;
  std::optional<TimePoint> gateway_due_;  // when the next gateway is started
  std::optional<TimePoint> end_due_;      // when patience with the end is over
  std::optional<StartupError> failure_;
  ControlServer control_;
  TaskGuard guard_;
  bool reap_again_ = false;  // a signal, which may have been CHLD, could not be obeyed
};

}  // namespace pycgid
