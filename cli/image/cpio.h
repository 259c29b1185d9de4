#pragma once

#include <cstdint>
#include <string>

#include "dunlin/result.h"

namespace dunlin::image {

// A folder as the kernel reads its initial memory disk (Linux,
// Documentation/driver-api/early-userspace/ buffer-format.rst, "newc"): folders, files and links,
// in name order, owned by root, all of the same time, so that the same folder gives the same bytes.
Result<std::string> write_cpio(const std::string& folder, std::uint32_t time);

}  // namespace dunlin::image
