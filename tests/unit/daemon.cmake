# Master, configuration, log, and the manual pages.
pycgid_unit_test(daemon_unit
  SOURCES
    activation_test.cpp
    address_test.cpp
    bound_socket_test.cpp
    command_line_test.cpp
    config_file_test.cpp
    config_line_test.cpp
    control_server_test.cpp
    cpu_count_test.cpp
    descriptors_test.cpp
    exit_hooks_test.cpp
    failure_text_test.cpp
    gateway_watch_test.cpp
    handover_test.cpp
    link_test.cpp
    log_test.cpp
    managed_pool_test.cpp
    message_reader_test.cpp
    option_table_test.cpp
    path_problem_test.cpp
    pid_file_test.cpp
    pool_change_test.cpp
    pool_forking_test.cpp
    pool_growth_test.cpp
    pool_recovery_test.cpp
    pool_recycling_test.cpp
    pool_scaling_test.cpp
    pool_supervisor_test.cpp
    process_test.cpp
    read_file_test.cpp
    service_manager_test.cpp
    status_test.cpp
    task_guard_test.cpp
    template_process_test.cpp
    tls_pem_test.cpp
    trusted_path_test.cpp
    worker_command_test.cpp
    worker_end_test.cpp
    look_test.cpp
    no_python_test.cpp
  LIBS daemon_core)

add_test(NAME man_page
  COMMAND /usr/bin/python3 "${PROJECT_SOURCE_DIR}/tests/docs/check_man.py"
          $<TARGET_FILE:pycgid> "${PROJECT_SOURCE_DIR}/man/pycgid.8"
          "${PROJECT_SOURCE_DIR}/man/pycgid.conf.5")
set_tests_properties(man_page PROPERTIES LABELS docs TIMEOUT 30)
add_test(NAME man_page_ctl
  COMMAND /usr/bin/python3 "${PROJECT_SOURCE_DIR}/tests/docs/check_man.py"
          $<TARGET_FILE:pycgidctl> "${PROJECT_SOURCE_DIR}/man/pycgidctl.8")
set_tests_properties(man_page_ctl PROPERTIES LABELS docs TIMEOUT 30)

add_test(NAME migrating_page
  COMMAND /usr/bin/python3 "${PROJECT_SOURCE_DIR}/tests/docs/check_migrating.py"
          $<TARGET_FILE:pycgid> "${PROJECT_SOURCE_DIR}/contrib/migrating.md")
set_tests_properties(migrating_page PROPERTIES LABELS docs TIMEOUT 60)
