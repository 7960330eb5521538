# What the status shows, and in which forms.
target_sources(daemon_core PRIVATE
  status/json.cpp
  status/openmetrics.cpp
  status/parts.cpp
  status/plain_text.cpp
  status/pool_state.cpp
  status/process_figures.cpp
  status/question.cpp
  status/table.cpp)
