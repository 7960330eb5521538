// Accepts connections from one listening socket.
#pragma once

#include "daemon/gateway/event_loop.h"
#include "daemon/gateway/gateway.h"
#include "daemon/gateway/peer_filter.h"
#include "daemon/gateway/poller.h"
#include "daemon/gateway/repeated_notice.h"

#include <string>
#include <string_view>

namespace pycgid {

class AcceptorOwner {
 public:
  virtual void accepted(const ListeningSocket& listener, pyhost::UniqueFd socket,
                        std::string peer) = 0;
  // May one more connection be accepted?
  virtual bool has_room() const = 0;
  // accept(2) failed for want of descriptors or memory: no acceptor can go on for the moment.
  virtual void starved(int error) = 0;

 protected:
  ~AcceptorOwner() = default;
};

class Acceptor final : public Watched {
 public:
  Acceptor(ListeningSocket listener, EventLoop& loop, const PeerFilter& peers,
           AcceptorOwner& owner);
  ~Acceptor();

  const ListeningSocket& listener() const { return listener_; }
  void open();
  // Stops watching; connections wait in the kernel's backlog.
  void pause();
  // Accepts everything that waits in the backlog. False: there was no room for all of it.
  bool accept_backlog();
  // It is to be destroyed when its backlog is accepted.
  void close_when_drained() { closing_ = true; }
  bool closing() const { return closing_; }

 private:
  void on_events(std::uint32_t events) override;
  enum class Accepted { one, nothing, short_of_something };
  Accepted accept_one();
  void tell_refused(std::string_view what) const;

  ListeningSocket listener_;
  EventLoop& loop_;
  const PeerFilter& peers_;
  AcceptorOwner& owner_;
  RepeatedNotice refusals_;
  bool open_ = false;
  bool closing_ = false;
};

}  // namespace pycgid
