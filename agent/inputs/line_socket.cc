#include "agent/inputs/line_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "agent/inputs/files.h"
#include "agent/inputs/line_intake.h"
#include "agent/inputs/lines.h"
#include "agent/inputs/schedule.h"
#include "common/base/stop_event.h"

namespace dunlin::agent {

namespace {

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* as_sockaddr(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

FileDescriptor new_socket() {
  return FileDescriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// Removes a socket that a dead process left behind, and nothing else.
Result<void> clear_path(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) return {Errc::exists, path + " exists and is no socket"};
  const FileDescriptor probe = new_socket();
  const sockaddr_un address = address_of(path);
  if (connect(probe.get(), as_sockaddr(address), sizeof address) == 0 || errno != ECONNREFUSED) {
    return {Errc::exists, path + ": another process listens there"};
  }
  if (unlink(path.c_str()) != 0) return {Errc::io, path + ": " + last_os_error()};
  return {};
}

Result<FileDescriptor> listen_at(const std::string& path) {
  DUNLIN_TRY(clear_path(path));
  FileDescriptor listener = new_socket();
  const sockaddr_un address = address_of(path);
  // Linux gives the new socket file the mode of the descriptor less the umask, so it is never wider
  // than 0660; chmod then lifts what the umask took.
  const bool ready = listener.get() >= 0 && fchmod(listener.get(), 0660) == 0 &&
                     bind(listener.get(), as_sockaddr(address), sizeof address) == 0 &&
                     chmod(path.c_str(), 0660) == 0 && listen(listener.get(), 64) == 0;
  if (!ready) return Error{Errc::io, path + ": " + last_os_error()};
  return listener;
}

class LineSocketInput final : public Input {
 public:
  struct Options {
    std::string path;
    std::size_t clients_max = 64;
    LineProtocolFormat format;
  };
  explicit LineSocketInput(Options options) : options_(std::move(options)) {}

  Result<void> run(InputSink& sink, std::stop_token stop) override {
    DUNLIN_ASSIGN(const FileDescriptor listener, listen_at(options_.path));
    clients_.clear();
    LineIntake intake(options_.format, sink);
    const StopEvent event(stop);
    Result<void> state;
    while (state.ok() && !stop.stop_requested()) {
      std::vector<pollfd> waits = {{event.fd(), POLLIN, 0}, {listener.get(), POLLIN, 0}};
      for (const Client& client : clients_) waits.push_back({client.socket.get(), POLLIN, 0});
      if (poll(waits.data(), waits.size(), event.timeout_ms()) < 0) {
        if (errno == EINTR) continue;
        state = Error{Errc::io, options_.path + ": " + last_os_error()};
        break;
      }
      if (stop.stop_requested()) break;
      for (std::size_t i = 0; i < clients_.size() && state.ok(); ++i) {
        if (waits[i + 2].revents != 0) state = serve(clients_[i], intake);
      }
      std::erase_if(clients_, [](const Client& client) { return client.socket.get() < 0; });
      if (state.ok()) state = intake.flush();
      if (waits[1].revents != 0) accept_client(listener.get(), sink, stop);
    }
    clients_.clear();
    unlink(options_.path.c_str());
    return unless_closed(state);
  }

 private:
  struct Client {
    FileDescriptor socket;
    std::string place;
    LineSplitter lines{kLineBytesMax};
  };

  void accept_client(int listener, InputSink& sink, const std::stop_token& stop) {
    FileDescriptor socket(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket.get() < 0) {
      if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
      sink.report(options_.path, {Errc::io, last_os_error()});
      wait_for(stop, std::chrono::milliseconds(100));  // out of descriptors: do not spin
      return;
    }
    if (clients_.size() >= options_.clients_max) {
      sink.report(options_.path, {Errc::backpressure, "a client too many was turned away"});
      return;
    }
    const std::string name = "client " + std::to_string(++clients_seen_);
    clients_.push_back({std::move(socket), options_.path + " " + name});
  }

  // One read of one client, so that none starves the others.
  Result<void> serve(Client& client, LineIntake& intake) {
    Result<void> state;
    const LineSplitter::OnLine on_line = [&](std::uint64_t number, Result<std::string_view> line) {
      if (state.ok()) state = intake.take(client.place, number, std::move(line));
    };
    const ssize_t n = read(client.socket.get(), buffer_.data(), buffer_.size());
    if (n > 0) {
      client.lines.feed(std::string_view(buffer_).substr(0, static_cast<std::size_t>(n)), on_line);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
      client.lines.finish(on_line);
      client.socket.reset();
    }
    return state;
  }

  Options options_;
  std::vector<Client> clients_;
  std::uint64_t clients_seen_ = 0;
  std::string buffer_ = std::string(kLineBytesMax, '\0');
};

}  // namespace

Result<std::unique_ptr<Input>> make_line_socket_input(config::Table& table) {
  LineSocketInput::Options options;
  options.path = table.required_text("socket");
  if (options.path.empty()) return Error{Errc::config, table.where("socket") + ": missing"};
  if (options.path.size() >= sizeof(sockaddr_un::sun_path)) {
    table.mistake("socket", "the path of a socket has at most 107 bytes");
    return Error{Errc::config, table.where("socket") + ": too long"};
  }
  options.clients_max = static_cast<std::size_t>(table.integer("clients", 64, 1, 1000));
  options.format = line_protocol_format(table);
  return std::unique_ptr<Input>(std::make_unique<LineSocketInput>(std::move(options)));
}

}  // namespace dunlin::agent
