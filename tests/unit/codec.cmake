# The codecs.
pycgid_unit_test(fcgi_test
  SOURCES fcgi_records_test.cpp fcgi_streams_test.cpp fcgi_management_test.cpp
          fcgi_memory_test.cpp fcgi_encoder_test.cpp
  LIBS fcgi)
pycgid_unit_test(scgi_test SOURCES scgi_decoder_test.cpp LIBS scgi)
