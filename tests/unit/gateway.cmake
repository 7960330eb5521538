# The gateway's pure parts.
pycgid_unit_test(gateway_parts_test
  SOURCES access_format_test.cpp access_log_test.cpp cgi_request_test.cpp cgi_path_test.cpp body_store_test.cpp response_head_test.cpp
          timer_wheel_test.cpp peer_filter_test.cpp poller_test.cpp count_allocations.cpp
  LIBS daemon_core)
pycgid_unit_test(gateway_flow_test
  SOURCES dispatcher_test.cpp dispatcher_end_test.cpp load_watch_test.cpp overload_notices_test.cpp peer_notices_test.cpp
          reply_test.cpp thread_waker_test.cpp worker_output_test.cpp
  LIBS daemon_core)
