# pycgid_pytest(LABEL FILE): the tests of a Python file, run with the daemon of this build.

# With a sanitizer, the workers' Python has to have its runtime loaded before anything else, and
# everything takes longer.
set(pytest_worker_env "")
set(pytest_slowness 1)
if(PYCGID_SANITIZE)
  set(pytest_slowness 4)
endif()
if(PYCGID_SANITIZE MATCHES "address")
  execute_process(COMMAND "${CMAKE_CXX_COMPILER}" -print-file-name=libasan.so
                  OUTPUT_VARIABLE libasan OUTPUT_STRIP_TRAILING_WHITESPACE)
  set(pytest_worker_env "LD_PRELOAD=${libasan} PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0")
elseif(PYCGID_SANITIZE MATCHES "thread")
  execute_process(COMMAND "${CMAKE_CXX_COMPILER}" -print-file-name=libtsan.so
                  OUTPUT_VARIABLE libtsan OUTPUT_STRIP_TRAILING_WHITESPACE)
  set(pytest_worker_env "LD_PRELOAD=${libtsan}")
endif()
math(EXPR pytest_timeout "180 * ${pytest_slowness}")

function(pycgid_pytest label file)
  get_filename_component(name "${file}" NAME_WE)
  string(REPLACE "test_" "${label}_" name "${name}")
  add_test(NAME ${name} COMMAND /usr/bin/python3 -m pytest -q "${file}"
           WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${pytest_timeout})
  set_property(TEST ${name} PROPERTY ENVIRONMENT
    "PYCGID=$<TARGET_FILE:pycgid>" "PYCGID_WORKER_ENV=${pytest_worker_env}"
    "PYCGID_SLOWNESS=${pytest_slowness}" "PYTHONDONTWRITEBYTECODE=1")
endfunction()
