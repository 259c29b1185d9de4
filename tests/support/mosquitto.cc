#include "tests/support/mosquitto.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "tests/support/eventually.h"

namespace dunlin::test {
namespace {

constexpr std::chrono::seconds kStartTimeout{15};
constexpr std::chrono::seconds kStopTimeout{10};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::string current_user() {
  const passwd* entry = getpwuid(geteuid());
  return entry ? entry->pw_name : "root";
}

}  // namespace

std::uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  DUNLIN_CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  DUNLIN_CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  close(fd);
  return ntohs(address.sin_port);
}

bool accepts_connections(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const bool accepted =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return accepted;
}

Result<std::unique_ptr<Mosquitto>> Mosquitto::start(const Options& options) {
  const bool given = !options.file.empty();
  std::unique_ptr<Mosquitto> broker(
      new Mosquitto(given ? options.port : free_port(), given || !options.cert_file.empty()));
  if (given) broker->file_ = options.file;
  if (!given) DUNLIN_TRY(broker->configure(options));
  DUNLIN_TRY(broker->restart());
  return broker;
}

Result<void> Mosquitto::configure(const Options& options) {
  std::ostringstream lines;
  // As root, mosquitto would become another user and not read its folder.
  lines << "user " << current_user()
        << "\npersistence false\nlog_dest stderr\nlog_type all\nset_tcp_nodelay true\n"
        << "allow_anonymous " << (options.username.empty() ? "true" : "false") << "\n";
  if (options.packet_bytes_max > 0) lines << "max_packet_size " << options.packet_bytes_max << "\n";
  if (!options.username.empty()) {
    const std::string file = folder_.write("passwords", "");
    const auto code = run_program({.program = "mosquitto_passwd",
                                   .args = {"-b", file, options.username, options.password},
                                   .env = {},
                                   .output_file = {}});
    if (code != 0) return {Errc::not_found, "mosquitto_passwd"};
    lines << "password_file " << file << "\n";
  }
  lines << "listener " << port_ << " 127.0.0.1\n";
  if (tls_) {
    lines << "cafile " << options.ca_file << "\ncertfile " << options.cert_file << "\nkeyfile "
          << options.key_file << "\nrequire_certificate "
          << (options.require_client_certificate ? "true" : "false") << "\n";
  }
  lines << options.more_configuration;
  folder_.write("mosquitto.conf", lines.str());
  return {};
}

std::string Mosquitto::url(std::string_view host) const {
  return std::string(tls_ ? "mqtts://" : "mqtt://") + std::string(host) + ":" +
         std::to_string(port_);
}

std::string Mosquitto::log() const {
  std::ostringstream text;
  text << std::ifstream(folder_.file("log")).rdbuf();
  return text.str();
}

void Mosquitto::kill() {
  process_.kill(SIGKILL);
  process_.wait(kStopTimeout);
}

void Mosquitto::stop() {
  process_.kill(SIGTERM);
  process_.wait(kStopTimeout);
}

void Mosquitto::reload() {
  process_.kill(SIGHUP);
}

Result<void> Mosquitto::restart() {
  DUNLIN_ASSIGN(process_, ChildProcess::start({.program = "mosquitto",
                                               .args = {"-c", file_},
                                               .env = {},
                                               .output_file = folder_.file("log")}));
  const bool settled = eventually(
      [this] { return !process_.running() || accepts_connections(port_); }, kStartTimeout);
  if (!settled || !process_.running()) return {Errc::io, "mosquitto did not start:\n" + log()};
  return {};
}

}  // namespace dunlin::test
