#include "daemon/gateway/thread_waker.h"

namespace pycgid {

ThreadWaker::ThreadWaker(pyhost::GatewayEnd& channel, unsigned threads, EventLoop& loop)
    : channel_(channel), threads_(threads), loop_(loop) {
  channel_.wake_for_each(false);
}

void ThreadWaker::wake() {
  if (eager_ > 0 || channel_.sleepers() >= threads_) channel_.wake();
  if (eager_ > 0) be_eager(eager_ - 1);
  if (eager_ == 0 && threads_ > 1 && !armed()) watch();
}

void ThreadWaker::watch() {
  taken_seen_ = channel_.queue().taken;
  loop_.timers().set(*this, loop_.now() + kPatience);
}

void ThreadWaker::on_timer() {
  const pyhost::GatewayEnd::Queue queue = channel_.queue();
  if (eager_ > 0 || queue.waiting == 0) return;
  if (queue.taken != taken_seen_) return watch();
  be_eager(kEagerFor);
  channel_.wake();
}

void ThreadWaker::be_eager(unsigned calls) {
  if ((calls > 0) != (eager_ > 0)) channel_.wake_for_each(calls > 0);
  eager_ = calls;
}

}  // namespace pycgid
