# Master, configuration, log.
target_sources(daemon_core PRIVATE
  address.cpp check.cpp command_line.cpp config_file.cpp configuration.cpp handover.cpp libexec.cpp link.cpp
  log.cpp notify_socket.cpp option_table.cpp option_values.cpp syslog_socket.cpp text.cpp text_file.cpp
  log.cpp option_table.cpp option_values.cpp syslog_socket.cpp text.cpp text_file.cpp
  master/activation.cpp master/background.cpp master/bound_socket.cpp master/descriptors.cpp master/exit_text.cpp master/gateway_process.cpp
  master/bound_socket.cpp master/descriptors.cpp master/exit_text.cpp
  master/find_python.cpp master/gateway_process.cpp
  master/log_file.cpp master/log_files.cpp master/managed_pool.cpp master/master.cpp
  master/path_problem.cpp master/pool_recycling.cpp master/pool_reload.cpp master/pool_set.cpp
  master/pid_file.cpp master/pool_recycling.cpp master/pool_reload.cpp master/pool_set.cpp master/pool_supervisor.cpp master/privileges.cpp
  master/pool_supervisor.cpp master/privileges.cpp
  master/process_memory.cpp master/process_title.cpp master/reconfiguration.cpp
  master/process_memory.cpp master/process_title.cpp master/reconfiguration.cpp master/service_manager.cpp
  master/service_state.cpp master/signals.cpp master/unix_socket.cpp
  master/signals.cpp master/socket_holder.cpp master/socket_reach.cpp
  master/unix_socket.cpp
  master/worker_command.cpp
  master/worker_command.cpp master/worker_place.cpp
  master/worker_process.cpp master/worker_spawn.cpp)
# Where pyhost is, seen from the prefix: an installation may be moved as a whole.
target_compile_definitions(daemon_core PRIVATE PYCGID_LIBEXEC_SUBDIR="${PYCGID_LIBEXEC_DIR}")
