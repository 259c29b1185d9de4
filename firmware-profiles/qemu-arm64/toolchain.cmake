include(${CMAKE_CURRENT_LIST_DIR}/../cross.cmake)
