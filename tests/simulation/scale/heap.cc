#include "tests/simulation/scale/heap.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace dunlin::simulation {

namespace {

struct alignas(std::max_align_t) Note {
  std::uint32_t owner;
  std::size_t chunk;
};

struct Count {
  std::size_t bytes = 0;
  std::size_t peak = 0;
};

Count counts[kHeapOwnersMax];
thread_local std::uint32_t current = 0;

// What malloc of the GNU C library takes of memory for so many bytes.
[[maybe_unused]] std::size_t chunk_of(std::size_t size) {
  return std::max<std::size_t>(32, (size + sizeof(std::size_t) + 15) & ~std::size_t{15});
}

}  // namespace

HeapOwner::HeapOwner(std::size_t owner) : before_(current) {
  current = owner < kHeapOwnersMax ? static_cast<std::uint32_t>(owner) : 0;
}

HeapOwner::~HeapOwner() {
  current = before_;
}

std::size_t heap_bytes(std::size_t owner) {
  return owner < kHeapOwnersMax ? counts[owner].bytes : 0;
}

std::size_t heap_peak(std::size_t owner) {
  return owner < kHeapOwnersMax ? counts[owner].peak : 0;
}

void forget_heap_peaks() {
  for (Count& count : counts) count.peak = count.bytes;
}

}  // namespace dunlin::simulation

#if DUNLIN_COUNTS_HEAP

void* operator new(std::size_t size) {
  using namespace dunlin::simulation;
  auto* const note = static_cast<Note*>(std::malloc(sizeof(Note) + size));
  if (note == nullptr) throw std::bad_alloc();
  *note = {current, chunk_of(size)};
  if (note->owner != 0) {
    Count& count = counts[note->owner];
    count.bytes += note->chunk;
    count.peak = std::max(count.peak, count.bytes);
  }
  return note + 1;
}

void operator delete(void* memory) noexcept {
  using namespace dunlin::simulation;
  if (memory == nullptr) return;
  Note* const note = static_cast<Note*>(memory) - 1;
  if (note->owner != 0) counts[note->owner].bytes -= note->chunk;
  std::free(note);
}

// Those for arrays call these; those without exceptions do, too.
void operator delete(void* memory, std::size_t) noexcept {
  operator delete(memory);
}

#endif
