// What the module keeps for each interpreter that loads it: its types and the names it looks up.
// Made by module.cpp, only read afterwards, from all threads.
#pragma once

#include "pyhost/py_ref.h"

namespace pyhost {

class WorkerEnd;

struct ModuleState {
  WorkerEnd* worker;  // null before serve()

  PyTypeObject* input_type;
  PyTypeObject* start_response_type;
  PyTypeObject* file_wrapper_type;

  PyObject* request_timeout;  // the exception pycgid.RequestTimeout
  PyObject* client_gone;      // the exception pycgid.ClientGone

  PyObject* io_base;           // the class _io._IOBase, from which all of io comes
  PyObject* file_io;           // the class io.FileIO
  PyObject* format_exception;  // traceback.format_exception

  PyObject* str_close;
  PyObject* str_data;
  PyObject* str_data_at;
  PyObject* str_fileno;
  PyObject* str_file;
  PyObject* str_raw;
  PyObject* str_read;
  PyObject* str_tell;
  PyObject* str_wsgi_input;
};

ModuleState& module_state(PyObject* module);

}  // namespace pyhost
