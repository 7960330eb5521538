# Master, configuration, log.
target_sources(daemon_core PRIVATE
  address.cpp
  check.cpp
  command_line.cpp
  config_file.cpp
  config_line.cpp
  configuration.cpp
  cpu_count.cpp
  handover.cpp
  libexec.cpp
  escape.cpp
  link.cpp
  log.cpp
  log_format.cpp
  notify_socket.cpp
  option_names.cpp
  option_table.cpp
  option_values.cpp
  read_file.cpp
  start_directory.cpp
  syslog_socket.cpp
  text.cpp
  text_file.cpp
  master/activation.cpp
  master/background.cpp
  master/bound_socket.cpp
  master/chroot_copies.cpp
  master/control_connection.cpp
  master/control_server.cpp
  master/descriptors.cpp
  master/exit_text.cpp
  master/find_python.cpp
  master/gateway_process.cpp
  master/libexec_files.cpp
  master/log_file.cpp
  master/log_files.cpp
  master/managed_pool.cpp
  master/master.cpp
  master/master_children.cpp
  master/master_control.cpp
  master/master_words.cpp
  master/path_problem.cpp
  master/pid_file.cpp
  master/pool_ending.cpp
  master/pool_forking.cpp
  master/pool_growth.cpp
  master/pool_outcomes.cpp
  master/pool_recovery.cpp
  master/pool_recycling.cpp
  master/pool_reload.cpp
  master/pool_scaling.cpp
  master/pool_set.cpp
  master/pool_sockets.cpp
  master/pool_supervisor.cpp
  master/pool_templates.cpp
  master/pool_tls.cpp
  master/privileges.cpp
  master/process_limits.cpp
  master/process_memory.cpp
  master/process_title.cpp
  master/reconfiguration.cpp
  master/service_manager.cpp
  master/service_state.cpp
  master/signals.cpp
  master/socket_holder.cpp
  master/socket_reach.cpp
  master/task_guard.cpp
  master/template_process.cpp
  master/trusted_path.cpp
  master/unix_socket.cpp
  master/worker_command.cpp
  master/worker_ends.cpp
  master/worker_place.cpp
  master/worker_process.cpp
  master/worker_spawn.cpp
  tls/tls_context.cpp
  tls/tls_pem.cpp)
# Where pyhost is, seen from the prefix: an installation may be moved as a whole.
target_compile_definitions(daemon_core PRIVATE PYCGID_LIBEXEC_SUBDIR="${PYCGID_LIBEXEC_DIR}")
# glibc has it from 2.32 on, musl not.
include(CheckCXXSymbolExists)
check_cxx_symbol_exists(strerrordesc_np cstring PYCGID_HAS_STRERRORDESC_NP)
if(PYCGID_HAS_STRERRORDESC_NP)
  set_property(SOURCE master/worker_spawn.cpp APPEND PROPERTY
    COMPILE_DEFINITIONS PYCGID_HAS_STRERRORDESC_NP)
endif()
