set(DUNLIN_CPU_FLAGS -mtune=cortex-a53)
include(${CMAKE_CURRENT_LIST_DIR}/../cross.cmake)
