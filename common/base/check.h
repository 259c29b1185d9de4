#pragma once

#include "dunlin/result.h"

// Our own bugs, checked in release builds too: abort with a message, the service manager restarts.
// Foreign input is never a reason for a check; it is an Error.
#define DUNLIN_CHECK(condition)                                                     \
  do {                                                                              \
    if (!(condition)) ::dunlin::detail::fail_check(__FILE__, __LINE__, #condition); \
  } while (false)
