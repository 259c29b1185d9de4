set(DUNLIN_ARCHITECTURE amd64)
include(${CMAKE_CURRENT_LIST_DIR}/../cross.cmake)
