# Every library from outside, found once. All come from Debian packages.
find_package(Threads REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(PahoMqttCpp REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(zstd REQUIRED)
find_package(OpenSSL REQUIRED)

# Mbed TLS 2.28 and libcbor 0.8 ship neither CMake configuration nor (Mbed TLS) a .pc file.
find_path(MBEDTLS_INCLUDE_DIR mbedtls/ecdsa.h REQUIRED)
# Static where there is a choice: an agent then only maps the pages that it uses.
find_library(MBEDCRYPTO_LIBRARY NAMES libmbedcrypto.a mbedcrypto REQUIRED)
add_library(dunlin_mbedcrypto INTERFACE)
target_include_directories(dunlin_mbedcrypto SYSTEM INTERFACE ${MBEDTLS_INCLUDE_DIR})
target_link_libraries(dunlin_mbedcrypto INTERFACE ${MBEDCRYPTO_LIBRARY})
find_library(MBEDX509_LIBRARY NAMES libmbedx509.a mbedx509 REQUIRED)
add_library(dunlin_mbedx509 INTERFACE)
target_link_libraries(dunlin_mbedx509 INTERFACE ${MBEDX509_LIBRARY} dunlin_mbedcrypto)

find_path(CBOR_INCLUDE_DIR cbor.h REQUIRED)
find_library(CBOR_LIBRARY cbor REQUIRED)
add_library(dunlin_cbor INTERFACE)
target_include_directories(dunlin_cbor SYSTEM INTERFACE ${CBOR_INCLUDE_DIR})
target_link_libraries(dunlin_cbor INTERFACE ${CBOR_LIBRARY})

find_path(MODBUS_INCLUDE_DIR modbus/modbus.h REQUIRED)
find_library(MODBUS_LIBRARY modbus REQUIRED)
add_library(dunlin_modbus INTERFACE)
target_include_directories(dunlin_modbus SYSTEM INTERFACE ${MODBUS_INCLUDE_DIR})
target_link_libraries(dunlin_modbus INTERFACE ${MODBUS_LIBRARY})
