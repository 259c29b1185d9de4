# What the toolchain files of all classes share. The architecture is that of the profile beside them;
# DUNLIN_CPU_FLAGS may be set before, where Debian's choice of processors is not theirs.
cmake_path(GET CMAKE_PARENT_LIST_FILE PARENT_PATH class)
file(STRINGS ${class}/profile.toml architecture REGEX "^architecture *=")
string(REGEX REPLACE "^[^\"]*\"([^\"]*)\".*" "\\1" architecture "${architecture}")

set(triplet_of_amd64 x86_64-linux-gnu)
set(triplet_of_arm64 aarch64-linux-gnu)
set(triplet_of_armhf arm-linux-gnueabihf)
set(processor_of_amd64 x86_64)
set(processor_of_arm64 aarch64)
set(processor_of_armhf arm)

set(triplet ${triplet_of_${architecture}})
if(NOT triplet)
  message(FATAL_ERROR "${class}/profile.toml: architecture is '${architecture}', not amd64, arm64 or armhf")
endif()

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${processor_of_${architecture}})
set(CMAKE_C_COMPILER ${triplet}-gcc)
set(CMAKE_CXX_COMPILER ${triplet}-g++)
set(CMAKE_C_FLAGS_INIT "${DUNLIN_CPU_FLAGS}")
set(CMAKE_CXX_FLAGS_INIT "${DUNLIN_CPU_FLAGS}")

# Libraries and headers come from the sysroot alone, programs from the host.
cmake_path(SET CMAKE_SYSROOT NORMALIZE ${CMAKE_CURRENT_LIST_DIR}/../build/sysroot/${architecture})
set(CMAKE_LIBRARY_ARCHITECTURE ${triplet})
set(CMAKE_FIND_ROOT_PATH ${CMAKE_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# Tests of another processor run here all the same; in the cache, where scripts find it.
if(NOT CMAKE_HOST_SYSTEM_PROCESSOR STREQUAL CMAKE_SYSTEM_PROCESSOR)
  set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${CMAKE_SYSTEM_PROCESSOR}-static -L ${CMAKE_SYSROOT}
    CACHE STRING "How programs run here")
endif()
