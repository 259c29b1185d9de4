#pragma once

#include <string>

#include "dunlin/result.h"

namespace dunlin::image {

// Images are compressed as the end of their name says: .img not at all, .img.zst, or .img.xz, which
// is smallest. `invalid_argument` for other names. What is made is its owner's alone to read, mode
// 0600: there may be a device's key in it.
Result<void> check_name(const std::string& path);
Result<void> compress(const std::string& disk, const std::string& out);
// Into a new file, with holes where it has zeros.
Result<void> decompress(const std::string& image, const std::string& disk);

}  // namespace dunlin::image
