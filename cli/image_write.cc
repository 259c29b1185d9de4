#include "cli/image_write.h"

#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <iostream>

#include "cli/commands.h"
#include "cli/image/write.h"

namespace dunlin::cli {

namespace {

// Disks are sold by powers of ten.
std::string gigabytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

// Whoever is asked has to name the device: a "y" is typed too easily.
Result<void> confirm(const image::BlockDevice& device) {
  if (::isatty(STDIN_FILENO) == 0)
    return {Errc::invalid_argument, "no terminal to ask whether to overwrite it: --yes"};
  const std::string name = device.path.substr(device.path.rfind('/') + 1);
  std::printf("All that is on it will be lost. Type %s to go on: ", name.c_str());
  std::fflush(stdout);
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != name) return {Errc::closed, device.path + " stays as it is"};
  return {};
}

// On a terminal a bar that fills, elsewhere a line for each step that is done.
class ProgressBar {
 public:
  explicit ProgressBar(std::uint64_t size) : size_(size) {}

  void show(std::string_view step, std::uint64_t done) const {
    const int percent = static_cast<int>(done * 100 / size_);
    if (::isatty(STDOUT_FILENO) != 0)
      std::printf("\r%-10.*s [%-50.*s] %3d %%%s", static_cast<int>(step.size()), step.data(),
                  percent / 2, kFull, percent, done == size_ ? "\n" : "");
    else if (done == size_)
      std::printf("%.*s: %" PRIu64 " bytes\n", static_cast<int>(step.size()), step.data(), size_);
    std::fflush(stdout);
  }

 private:
  static constexpr const char* kFull = "##################################################";

  std::uint64_t size_;
};

}  // namespace

int write_image(const ImageWrite& asked) {
  const auto writing = image::Writing::prepare(asked.image, asked.device);
  if (!writing.ok()) return fail(writing.error());
  const image::BlockDevice& device = writing->device();
  std::printf("%s: %s, %s\n", device.path.c_str(),
              device.model.empty() ? "of no known model" : device.model.c_str(),
              gigabytes(device.size).c_str());
  const Result<void> agreed = asked.yes ? Result<void>() : confirm(device);
  if (!agreed.ok()) return fail(agreed.error());
  const ProgressBar bar(writing->size());
  Result<void> done =
      writing->write([&](std::string_view step, std::uint64_t bytes) { bar.show(step, bytes); });
  if (done.ok() && asked.expand) done = writing->expand();
  if (!done.ok()) return fail(done.error());
  std::printf("%s is written and reads back right%s\n", device.path.c_str(),
              asked.expand ? "; its data partition reaches to the end" : "");
  return kOk;
}

}  // namespace dunlin::cli
