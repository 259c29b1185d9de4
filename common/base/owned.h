#pragma once

#include <memory>

namespace dunlin {

template <auto Free>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const {
    (void)Free(object);
  }
};

// An object of a C library, with the function that frees it: Owned<X509, X509_free>.
template <typename T, auto Free>
using Owned = std::unique_ptr<T, FreeWith<Free>>;

}  // namespace dunlin
