# pyhost: its parts without Python, and a real worker with the test in the gateway's place.
pycgid_unit_test(pyhost_parts_test
  SOURCES pyhost_log_test.cpp thread_gate_test.cpp
          "${PROJECT_SOURCE_DIR}/pyhost/log_lines.cpp"
          "${PROJECT_SOURCE_DIR}/pyhost/request_text.cpp"
  LIBS pyhost_channel)

pycgid_unit_test(pyhost_worker_test
  LABEL pyhost
  SOURCES pyhost_boot_test.cpp pyhost_cut_test.cpp pyhost_driver.cpp pyhost_ends_test.cpp
          pyhost_environ_test.cpp pyhost_file_test.cpp pyhost_input_test.cpp
          pyhost_lasting_test.cpp pyhost_leaving_test.cpp pyhost_memory_test.cpp
          pyhost_output_test.cpp
          pyhost_response_test.cpp pyhost_threads_test.cpp
  LIBS pyhost_channel)

list(GET PYCGID_PYTHONS 0 first_python)
find_program(pyhost_test_python "${first_python}" NO_CACHE REQUIRED)
set(pyhost_test_preload "")
if(PYCGID_SANITIZE)
  string(REGEX MATCH "address|thread" library "${PYCGID_SANITIZE}")
  string(SUBSTRING "${library}" 0 1 letter)
  execute_process(COMMAND "${CMAKE_CXX_COMPILER}" -print-file-name=lib${letter}san.so
                  OUTPUT_VARIABLE pyhost_test_preload OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
target_compile_definitions(pyhost_worker_test PRIVATE
  PYHOST_TEST_VERSION="${PROJECT_VERSION}"
  PYHOST_TEST_PYTHON="${pyhost_test_python}"
  PYHOST_TEST_BOOT="${CMAKE_BINARY_DIR}/pyhost/boot.py"
  PYHOST_TEST_APPS="${CMAKE_CURRENT_SOURCE_DIR}/pyhost_apps"
  PYHOST_TEST_PRELOAD="${pyhost_test_preload}")
add_dependencies(pyhost_worker_test pyhost_modules)
