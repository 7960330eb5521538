# The gateway.
target_sources(daemon_core PRIVATE
  gateway/cgi_request.cpp gateway/body_store.cpp gateway/response_head.cpp gateway/timer_wheel.cpp
  gateway/peer_filter.cpp)
