# Master, configuration, log.
target_sources(daemon_core PRIVATE log.cpp link.cpp)
