# How every target of the project is built, said once.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
include(GNUInstallDirs)

find_program(DUNLIN_CCACHE ccache)
if(DUNLIN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${DUNLIN_CCACHE})
endif()

add_library(dunlin_options INTERFACE)
target_include_directories(dunlin_options INTERFACE
  ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/common/include)
target_compile_options(dunlin_options INTERFACE
  -Wall -Wextra -Wno-missing-field-initializers -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wno-psabi
  # g++ 12 sees ghosts in std::variant and std::string (GCC bugs 105593, 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-Wno-restrict;-Wno-array-bounds;-Wno-stringop-overflow>
  $<$<BOOL:${DUNLIN_WERROR}>:-Werror>)
if(CMAKE_SIZEOF_VOID_P EQUAL 4)
  # Files above 2 GiB, and inodes above 2^32. Not _TIME_BITS=64: classes of cpp-httplib hold a time_t,
  # which has 32 bits in Debian 12's library; what reads the clock is common/base/wall_clock.cc.
  target_compile_definitions(dunlin_options INTERFACE _FILE_OFFSET_BITS=64)
endif()
target_compile_options(dunlin_options INTERFACE -ffunction-sections -fdata-sections)
target_link_options(dunlin_options INTERFACE -Wl,--gc-sections -Wl,--as-needed)
if(DUNLIN_SANITIZE)
  target_compile_options(dunlin_options INTERFACE
    -fsanitize=${DUNLIN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(dunlin_options INTERFACE -fsanitize=${DUNLIN_SANITIZE})
endif()

# dunlin_library(NAME SOURCES ... [DEPS ...]): the static library of one folder, as dunlin::NAME.
# COLD: not on the path of every reading, so release builds make it small; an agent's memory is
# mostly the pages of its code.
function(dunlin_library name)
  cmake_parse_arguments(arg "COLD" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(dunlin_${name} STATIC ${arg_SOURCES})
  if(arg_COLD)
    target_compile_options(dunlin_${name} PRIVATE $<$<CONFIG:Release>:-Os>)
  endif()
  add_library(dunlin::${name} ALIAS dunlin_${name})
  target_link_libraries(dunlin_${name} PUBLIC dunlin_options ${arg_DEPS} PRIVATE ${arg_PRIVATE_DEPS})
endfunction()

# dunlin_program(NAME SOURCES ... DEPS ...): an executable in <build>/bin.
function(dunlin_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE dunlin_options ${arg_DEPS})
endfunction()
