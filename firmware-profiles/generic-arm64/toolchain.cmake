set(DUNLIN_ARCHITECTURE arm64)
include(${CMAKE_CURRENT_LIST_DIR}/../cross.cmake)
