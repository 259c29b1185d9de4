#include "cli/passphrase.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "common/security/private_file.h"

namespace dunlin::cli {

namespace {

Result<std::string> line_of(const std::string& file) {
  DUNLIN_ASSIGN(std::string text, security::read_private_file(file));
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  if (text.empty()) return {Errc::invalid_argument, file + ": no passphrase"};
  return text;
}

// The terminal of this process; while it exists, what is typed there is not seen.
class Terminal {
 public:
  Terminal() : fd_(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {
    if (fd_ < 0 || ::tcgetattr(fd_, &before_) != 0) return;
    termios unseen = before_;
    unseen.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    is_one_ = ::tcsetattr(fd_, TCSAFLUSH, &unseen) == 0;
  }
  ~Terminal() {
    if (is_one_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
    if (fd_ >= 0) ::close(fd_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  Result<std::string> ask(const std::string& what) {
    if (!is_one_)
      return {
          Errc::invalid_argument,
          "no terminal to ask for the passphrase: --passphrase-file, or DUNLIN_PASSPHRASE_FILE"};
    say(what);
    std::string line;
    for (char c = 0; ::read(fd_, &c, 1) == 1 && c != '\n';) line += c;
    say("\n");
    if (line.empty()) return {Errc::invalid_argument, "no passphrase"};
    return line;
  }

 private:
  void say(const std::string& text) const { (void)!::write(fd_, text.data(), text.size()); }

  int fd_;
  termios before_{};
  bool is_one_ = false;
};

}  // namespace

Fleet::Passphrase passphrase_from(const std::string& file) {
  return [file]() -> Result<std::string> {
    if (!file.empty()) return line_of(file);
    return Terminal().ask("passphrase of the authority's key: ");
  };
}

Result<std::string> new_passphrase(const std::string& file) {
  if (!file.empty()) return line_of(file);
  Terminal terminal;
  DUNLIN_ASSIGN(std::string first, terminal.ask("new passphrase of the authority's key: "));
  DUNLIN_ASSIGN(const std::string second, terminal.ask("once more: "));
  if (first != second) return {Errc::invalid_argument, "these were two passphrases"};
  return first;
}

}  // namespace dunlin::cli
