#pragma once

#include <string>

namespace dunlin::cli {

struct ImageWrite {
  std::string image;
  std::string device;
  bool expand = false;  // the data partition, to the end of the disk
  bool yes = false;     // do not ask
};
// Shows the device, asks, writes, reads back. The exit code.
int write_image(const ImageWrite& asked);

}  // namespace dunlin::cli
