#pragma once

#include <string>

#include "cli/image/profile.h"
#include "cli/image/recipe.h"
#include "cli/image/stage.h"

namespace dunlin::image {

// The first partition: what the machine's own firmware reads. Below it a folder for each root slot,
// a/ and b/, has that slot's kernel, initial memory disk and arguments; what stands outside of them
// chooses the slot, and can try the other one once.
struct BootSlot {
  const Profile& profile;
  const Recipe& recipe;
  std::string profiles;  // the folder of all classes
  std::string release;   // of the kernel
  std::string serial;    // of the file system, "1234-ABCD", by which the disk is found

  std::string arguments(const std::string& slot) const;
  // Everything but the initrd. For slot a; that of b is for an update.
  Result<void> write(Stage& stage) const;

 private:
  Result<void> write_u_boot(Stage& stage) const;
  Result<void> write_uefi(Stage& stage) const;
  Result<void> write_raspberrypi(Stage& stage) const;
};

// A FAT file system with all that is in a folder, of that size and serial; its bytes do not depend
// on where the folder lies.
struct Fat {
  std::uint64_t size = 0;
  std::string serial;
  std::int64_t time = 0;
};
Result<void> make_fat(const std::string& file, const std::string& folder, const Fat& fat);

}  // namespace dunlin::image
