#pragma once

#include <cstddef>
#include <cstdint>

// Sanitizers have an allocator of their own, of which some functions would stay beside ours: there
// nothing is counted.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DUNLIN_COUNTS_HEAP 0
#else
#define DUNLIN_COUNTS_HEAP 1
#endif

namespace dunlin::simulation {

// Who allocated what. Programs with this in them have an operator new that notes for whom it works,
// and counts for him until the memory is freed, by whomever: as malloc's chunks of the product,
// without what the note takes. One thread at a time allocates for somebody.

inline constexpr std::size_t kHeapOwnersMax = 65'536;

// While one lives, what is allocated is for `owner`; 0 is nobody, and who is beyond the maximum.
class HeapOwner {
 public:
  explicit HeapOwner(std::size_t owner);
  ~HeapOwner();
  HeapOwner(const HeapOwner&) = delete;
  HeapOwner& operator=(const HeapOwner&) = delete;

 private:
  std::uint32_t before_;
};

std::size_t heap_bytes(std::size_t owner);  // now
std::size_t heap_peak(std::size_t owner);   // since forget_heap_peaks()
void forget_heap_peaks();

}  // namespace dunlin::simulation
