target_sources(pyhost_channel PRIVATE channel.cpp)
