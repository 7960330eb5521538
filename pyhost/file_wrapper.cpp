#include "pyhost/file_wrapper.h"

#include "pyhost/exceptions.h"

#include <cstdint>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace pyhost {
namespace {

constexpr Py_ssize_t kDefaultBlock = 8192;

struct FileWrapperObject {
  PyObject_HEAD PyObject* file;
  Py_ssize_t block_size;
};

FileWrapperObject* cast(PyObject* self) {
  return reinterpret_cast<FileWrapperObject*>(self);
}

ModuleState& state_of(PyObject* self) {
  return *static_cast<ModuleState*>(PyType_GetModuleState(Py_TYPE(self)));
}

PyObject* construct(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  PyObject* file = nullptr;
  Py_ssize_t block_size = kDefaultBlock;
  if (kwargs != nullptr && PyDict_Size(kwargs) > 0) {
    PyErr_SetString(PyExc_TypeError, "file_wrapper takes no keyword arguments");
    return nullptr;
  }
  if (!PyArg_ParseTuple(args, "O|n:file_wrapper", &file, &block_size)) return nullptr;
  auto self = PyRef::steal(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  cast(self.get())->file = Py_NewRef(file);
  cast(self.get())->block_size = block_size > 0 ? block_size : kDefaultBlock;
  return self.release();
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(cast(self)->file);
  return 0;
}

int clear(PyObject* self) {
  Py_CLEAR(cast(self)->file);
  return 0;
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

// What the garbage collector has cleared may still be called, by an object that goes with it.
PyRef file_of(PyObject* self) {
  auto file = PyRef::borrow(cast(self)->file);
  if (!file) PyErr_SetString(PyExc_ValueError, "I/O operation on closed file");
  return file;
}

PyObject* next_block(PyObject* self) {
  const PyRef file = file_of(self);
  if (!file) return nullptr;
  const auto size = PyRef::steal(PyLong_FromSsize_t(cast(self)->block_size));
  if (!size) return nullptr;
  auto block =
      PyRef::steal(PyObject_CallMethodOneArg(file.get(), state_of(self).str_read, size.get()));
  if (!block) return nullptr;
  const int more = PyObject_IsTrue(block.get());
  return more == 1 ? block.release() : nullptr;
}

PyObject* close(PyObject* self, PyObject*) {
  const PyRef file = file_of(self);
  if (!file) return nullptr;
  const auto method = PyRef::steal(py::optional_attribute(file.get(), state_of(self).str_close));
  if (!method && PyErr_Occurred()) return nullptr;
  if (!method || Py_IsNone(method.get())) Py_RETURN_NONE;
  return PyObject_CallNoArgs(method.get());
}

PyMethodDef methods[] = {
    {"close", close, METH_NOARGS, "close(): closes the file, if it can be closed"},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(construct)},
                       {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                       {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                       {Py_tp_clear, reinterpret_cast<void*>(clear)},
                       {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
                       {Py_tp_iternext, reinterpret_cast<void*>(next_block)},
                       {Py_tp_methods, methods},
                       {0, nullptr}};

// Follows one step from what merely passes a file on: tempfile's and Django's wrappers keep the
// file in `file`, io.BufferedReader has its FileIO in `raw`.
PyRef inner(PyObject* object, PyObject* name) {
  auto found = PyRef::steal(py::optional_attribute(object, name));
  forgive();
  return found;
}

bool is_instance(PyObject* object, PyObject* type) {
  return PyObject_TypeCheck(object, reinterpret_cast<PyTypeObject*>(type));
}

// Whether fileno() gives what read() would. Of io's own classes only FileIO, buffered or not, does:
// a GzipFile has the descriptor of its compressed file, a TextIOWrapper decodes.
bool reads_descriptor(const ModuleState& state, PyObject* file) {
  const PyRef wrapped = is_instance(file, state.io_base) ? PyRef() : inner(file, state.str_file);
  if (PyErr_Occurred()) return false;
  PyObject* object = wrapped ? wrapped.get() : file;
  if (!is_instance(object, state.io_base) || is_instance(object, state.file_io)) return true;
  const PyRef raw = inner(object, state.str_raw);
  return raw && is_instance(raw.get(), state.file_io);
}

// The result of a method without arguments as a number; -1 where there is none, and where the call
// raised what forgive() does not drop.
std::int64_t call_number(PyObject* object, PyObject* method) {
  const auto result = PyRef::steal(PyObject_CallMethodNoArgs(object, method));
  const std::int64_t number = result ? PyLong_AsLongLong(result.get()) : -1;
  return forgive() ? number : -1;
}

// What the kernel makes up as it is read, below /proc and /sys, tells no size, or a page of it; it
// takes no room, and neither does anything beside it. A file that is one hole takes none either.
bool size_is_true(int fd, const struct stat& status) {
  if (!S_ISREG(status.st_mode) || status.st_size == 0) return false;
  struct statvfs place {};
  return status.st_blocks > 0 || (::fstatvfs(fd, &place) == 0 && place.f_blocks > 0);
}

std::int64_t position(const ModuleState& state, PyObject* file, int fd) {
  const std::int64_t told = call_number(file, state.str_tell);
  return told >= 0 ? told : ::lseek(fd, 0, SEEK_CUR);
}

}  // namespace

PyType_Spec file_wrapper_spec = {"pycgid_host.FileWrapper", sizeof(FileWrapperObject), 0,
                                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
                                 slots};

std::optional<SendableFile> sendable_file(const ModuleState& state, PyObject* iterable) {
  if (!Py_IS_TYPE(iterable, state.file_wrapper_type)) return std::nullopt;
  PyObject* file = cast(iterable)->file;
  if (file == nullptr || !reads_descriptor(state, file)) return std::nullopt;
  const std::int64_t fd = call_number(file, state.str_fileno);
  struct stat status {};
  if (fd < 0 || fd > INT32_MAX || ::fstat(static_cast<int>(fd), &status) != 0 ||
      !size_is_true(static_cast<int>(fd), status)) {
    return std::nullopt;
  }
  const std::int64_t from = position(state, file, static_cast<int>(fd));
  if (from < 0 || PyErr_Occurred()) return std::nullopt;
  const std::int64_t length = status.st_size > from ? status.st_size - from : 0;
  return SendableFile{static_cast<int>(fd),
                      {static_cast<std::uint64_t>(from), static_cast<std::uint64_t>(length)}};
}

}  // namespace pyhost
