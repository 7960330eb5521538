// The context (PEP 567) of one request: a copy of what the main thread had after it had loaded the
// application. So context variables that are set at import are seen by all request threads, and
// those that a request sets end with it. On the request's thread, attached.
#pragma once

#include "pyhost/exception_log.h"
#include "pyhost/module_state.h"

namespace pyhost {

class RequestContext {
 public:
  // `base` is the context to copy. Without memory for a copy the request shares what is there.
  RequestContext(const ModuleState& state, PyObject* base)
      : state_(state), context_(PyRef::steal(PyContext_Copy(base))) {
    if (!context_ || PyContext_Enter(context_.get()) != 0) {
      context_.reset();
      log_exception(state_, "a request has no context of its own");
    }
  }
  // Fails where the application has entered another context and not left it.
  ~RequestContext() {
    if (context_ && PyContext_Exit(context_.get()) != 0) {
      log_exception(state_, "a request's context cannot be left");
    }
  }
  RequestContext(const RequestContext&) = delete;
  RequestContext& operator=(const RequestContext&) = delete;

 private:
  const ModuleState& state_;
  PyRef context_;
};

}  // namespace pyhost
