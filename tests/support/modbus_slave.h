#pragma once

#include <modbus/modbus.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/base/check.h"
#include "common/base/owned.h"
#include "tests/support/pty.h"

namespace dunlin::test {

// Slaves of libmodbus, on a loopback port or at the other end of a serial line. Each has the same
// registers: holding register n is 1000 + n, input register n 2000 + n, coil n is n % 2, discrete
// input n is n % 3 == 0; all may be set. Registers from 100 on there are not.
class ModbusSlaves {
 public:
  static constexpr int kRegisters = 100;

  explicit ModbusSlaves(const std::vector<int>& ids) : ModbusSlaves(ids, true) {}
  // On a serial line; one request at a time, as there.
  static std::unique_ptr<ModbusSlaves> on_a_line(const std::vector<int>& ids) {
    return std::unique_ptr<ModbusSlaves>(new ModbusSlaves(ids, false));
  }
  ~ModbusSlaves() {
    stopping_ = true;
    thread_.join();
  }

  std::string url() const { return "tcp://127.0.0.1:" + std::to_string(port_); }
  const std::string& path() const { return line_.path(); }

  void set_holding(int slave, int n, std::uint16_t value) {
    const std::lock_guard lock(mutex_);
    slaves_.at(slave)->tab_registers[n] = value;
  }
  void silence(int slave, bool silent) {
    const std::lock_guard lock(mutex_);
    silent_[slave] = silent;
  }
  // The last request to it, which it was silent to, is answered now, and others are again.
  void answer_late(int slave) {
    const std::lock_guard lock(mutex_);
    silent_[slave] = false;
    reply(slave, last_.at(slave));
  }
  void hang_up() { hang_up_ = true; }  // before the next request
  void hang_up_on(int slave) {         // at each request to it
    const std::lock_guard lock(mutex_);
    hang_up_on_ = slave;
  }
  std::size_t requests(int slave) const {
    const std::lock_guard lock(mutex_);
    const auto found = requests_.find(slave);
    return found == requests_.end() ? 0 : found->second;
  }

 private:
  ModbusSlaves(const std::vector<int>& ids, bool tcp) {
    for (const int id : ids) {
      modbus_mapping_t* map = modbus_mapping_new(kRegisters, kRegisters, kRegisters, kRegisters);
      DUNLIN_CHECK(map != nullptr);
      for (int n = 0; n < kRegisters; ++n) {
        map->tab_registers[n] = static_cast<std::uint16_t>(1000 + n);
        map->tab_input_registers[n] = static_cast<std::uint16_t>(2000 + n);
        map->tab_bits[n] = n % 2 != 0;
        map->tab_input_bits[n] = n % 3 == 0;
      }
      slaves_.emplace(id, map);
    }
    if (tcp) {
      bus_.reset(modbus_new_tcp("127.0.0.1", 0));
      listener_.reset(modbus_tcp_listen(bus_.get(), 4));
      sockaddr_in address{};
      socklen_t size = sizeof address;
      DUNLIN_CHECK(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) ==
                   0);
      port_ = ntohs(address.sin_port);
      thread_ = std::thread([this] { serve_tcp(); });
    } else {
      bus_.reset(modbus_new_rtu(line_.path().c_str(), 9600, 'N', 8, 1));
      modbus_set_socket(bus_.get(), line_.fd());
      thread_ = std::thread([this] { serve_line(); });
    }
  }

  bool reply(int slave, const std::vector<std::uint8_t>& request) {
    modbus_set_slave(bus_.get(), slave);
    return modbus_reply(bus_.get(), request.data(), static_cast<int>(request.size()),
                        slaves_.at(slave).get()) >= 0;
  }
  // False when there was no answer to be had.
  bool answer(const std::uint8_t* request, int length) {
    const int slave = request[modbus_get_header_length(bus_.get()) - 1];
    const std::lock_guard lock(mutex_);
    ++requests_[slave];
    if (slave == hang_up_on_) return false;
    last_[slave].assign(request, request + length);
    return slaves_.count(slave) == 0 || silent_[slave] || reply(slave, last_[slave]);
  }

  void serve_tcp() {
    while (!stopping_) {
      if (!readable(listener_.get())) continue;
      int socket = listener_.get();
      if (modbus_tcp_accept(bus_.get(), &socket) < 0) continue;
      while (!stopping_) {
        if (!readable(modbus_get_socket(bus_.get()))) continue;
        std::uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
        if (hang_up_.exchange(false)) break;
        const int length = modbus_receive(bus_.get(), request);
        if (length < 0 || !answer(request, length)) break;
      }
      modbus_close(bus_.get());
    }
  }

  static bool readable(int fd) {
    pollfd wait{fd, POLLIN, 0};
    return ::poll(&wait, 1, 20) > 0;
  }

  // One context of libmodbus hears one slave only, so frames are read here: who reads sends 8
  // bytes.
  void serve_line() {
    const FileDescriptor held(::open(path().c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    std::uint8_t request[8];
    std::size_t size = 0;
    while (!stopping_) {
      if (!readable(line_.fd())) continue;
      const ssize_t n = ::read(line_.fd(), request + size, sizeof request - size);
      size += n > 0 ? static_cast<std::size_t>(n) : 0;
      if (size < sizeof request) continue;
      answer(request, static_cast<int>(size));
      size = 0;
    }
  }

  using Map = Owned<modbus_mapping_t, modbus_mapping_free>;
  Owned<modbus_t, modbus_free> bus_;
  FileDescriptor listener_;
  int port_ = 0;
  Pty line_;
  std::map<int, Map> slaves_;
  mutable std::mutex mutex_;
  std::map<int, bool> silent_;
  std::map<int, std::size_t> requests_;
  std::map<int, std::vector<std::uint8_t>> last_;  // of each
  int hang_up_on_ = -1;
  std::atomic<bool> stopping_ = false, hang_up_ = false;
  std::thread thread_;
};

}  // namespace dunlin::test
