set(DUNLIN_ARCHITECTURE armhf)
include(${CMAKE_CURRENT_LIST_DIR}/../cross.cmake)
