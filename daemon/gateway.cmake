# The gateway.
target_sources(daemon_core PRIVATE
  gateway/acceptor.cpp
  gateway/access_codes.cpp
  gateway/access_format.cpp
  gateway/access_log.cpp
  gateway/access_record.cpp
  gateway/access_text.cpp
  gateway/body_store.cpp
  gateway/cgi_request.cpp
  gateway/connection.cpp
  gateway/debug_params.cpp
  gateway/dispatcher.cpp
  gateway/event_loop.cpp
  gateway/exchange.cpp
  gateway/fcgi_connection.cpp
  gateway/gateway.cpp
  gateway/output_queue.cpp
  gateway/peer_filter.cpp
  gateway/poller.cpp
  gateway/reply.cpp
  gateway/request_deadlines.cpp
  gateway/response_head.cpp
  gateway/scgi_connection.cpp
  gateway/timer_wheel.cpp
  gateway/warmup.cpp
  gateway/worker.cpp
  gateway/worker_output.cpp)
