#pragma once

#include <string>

#include "common/base/stop_event.h"
#include "common/runtime/node_view.h"

namespace dunlin::runtime {

// Where a running program is asked how it is, by `healthcheck` in a process of its own: the socket
// `health.sock` in its data directory, for whoever may write there. It needs neither HTTP nor a
// thread, and writes nothing.
class HealthSocket {
 public:
  // Takes the place of what a killed program left there. `io` where the file system has no sockets.
  static Result<HealthSocket> listen(const std::string& data_dir);
  HealthSocket(HealthSocket&&) = default;
  ~HealthSocket();

  int fd() const { return listener_.get(); }  // readable when somebody asks
  // Tells who asked; waits for the node's loop, since only a loop that runs is alive.
  void answer(NodeView& node) const;

 private:
  HealthSocket(FileDescriptor folder, FileDescriptor listener)
      : folder_(std::move(folder)), listener_(std::move(listener)) {}

  FileDescriptor folder_;
  FileDescriptor listener_;
};

struct Health {
  bool store_writable = false;
  bool broker_connected = false;  // says nothing against it: a log goes on without a broker
};

// Asks whichever program runs with that data directory. `closed` when none listens there, `timeout`
// when it does not answer within 5 s.
Result<Health> ask_health(const std::string& data_dir);

}  // namespace dunlin::runtime
