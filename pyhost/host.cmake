# The module pycgid_host, for each interpreter of PYCGID_PYTHONS: no libpython, no symbol besides
# PyInit_pycgid_host, and of C++ nothing that the application's own modules could meet.

set(PYHOST_OUTPUT_DIR "${CMAKE_BINARY_DIR}/pyhost")

add_custom_target(pyhost_modules)  # for what needs all of them

function(pyhost_ask python expression result)
  execute_process(
    COMMAND "${python}" -c "import sys, sysconfig; print(${expression})"
    OUTPUT_VARIABLE answer OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(${result} "${answer}" PARENT_SCOPE)
endfunction()

function(pyhost_add_module python)
  find_program(program "${python}" NO_CACHE REQUIRED)
  pyhost_ask("${program}" "sysconfig.get_path('include')" include_dir)
  pyhost_ask("${program}" "sysconfig.get_config_var('EXT_SUFFIX')" suffix)
  if(NOT EXISTS "${include_dir}/Python.h")
    message(FATAL_ERROR "no ${include_dir}/Python.h for ${program} (PYCGID_PYTHONS); "
                        "install its headers (Debian: python3-dev)")
  endif()
  string(REGEX REPLACE "^\\.|\\.so$" "" tag "${suffix}")
  set(target "pycgid_host_${tag}")
  if(TARGET ${target})
    return()
  endif()
  message(STATUS "pyhost for ${program}: ${tag}")

  add_library(${target} MODULE
    body.cpp
    environ_builder.cpp
    exception_log.cpp
    exceptions.cpp
    file_wrapper.cpp
    forking.cpp
    host.cpp
    input.cpp
    interrupter.cpp
    log_lines.cpp
    module.cpp
    own_stack.cpp
    process_title.cpp
    request_runner.cpp
    request_text.cpp
    response.cpp
    response_head.cpp
    running_request.cpp
    stack_dump.cpp
    start_response.cpp
    worker_signals.cpp)
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME pycgid_host SUFFIX "${suffix}"
    LIBRARY_OUTPUT_DIRECTORY "${PYHOST_OUTPUT_DIR}")
  target_include_directories(${target} SYSTEM PRIVATE "${include_dir}")
  target_compile_definitions(${target} PRIVATE PYCGID_VERSION="${PROJECT_VERSION}")
  target_compile_options(${target} PRIVATE -fno-exceptions)  # why: gil.h
  target_link_libraries(${target} PRIVATE pyhost_channel pycgid_flags)
  target_link_options(${target} PRIVATE
    "LINKER:--version-script=${CMAKE_CURRENT_SOURCE_DIR}/host.map")
  set_property(TARGET ${target} PROPERTY LINK_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/host.map")
  if(NOT PYCGID_SANITIZE)
    target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc)
  endif()
  add_dependencies(pyhost_modules ${target})
  install(TARGETS ${target} LIBRARY DESTINATION "${PYCGID_LIBEXEC_DIR}")
endfunction()

foreach(python IN LISTS PYCGID_PYTHONS)
  pyhost_add_module("${python}")
endforeach()

set(PYHOST_SCRIPTS
  application_module.py
  application_name.py
  boot.py
  child.py
  diagnosis.py
  exception_text.py
  greenlets.py
  interface.py
  leaving.py
  loader.py
  on_start.py
  request_threads.py
  template.py)
foreach(script IN LISTS PYHOST_SCRIPTS)
  configure_file(${script} "${PYHOST_OUTPUT_DIR}/${script}" @ONLY)
  install(FILES "${PYHOST_OUTPUT_DIR}/${script}" DESTINATION "${PYCGID_LIBEXEC_DIR}")
endforeach()
