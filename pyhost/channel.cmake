target_sources(pyhost_channel PRIVATE
  channel.cpp
  channel_answer.cpp
  channel_demand.cpp
  channel_gateway.cpp
  channel_intake.cpp
  channel_worker.cpp
  fork_order.cpp
  log_socket.cpp
  own_fds.cpp
  session.cpp
  internal/channel_files.cpp
  internal/channel_fork.cpp
  internal/channel_map.cpp)
