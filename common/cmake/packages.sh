# shellcheck shell=bash disable=SC2034
# Debian packages, said once: sourced by ./quickstart and ./check. Nothing comes from elsewhere.

# What the programs and their tests are built from; a firmware sysroot holds the same for its architecture.
library_packages=(
  libpaho-mqttpp-dev libpaho-mqtt-dev libssl-dev libsqlite3-dev libmbedtls-dev libcbor-dev
  libzstd-dev prometheus-cpp-dev libcurl4-openssl-dev zlib1g-dev nlohmann-json3-dev
  libtomlplusplus-dev libcli11-dev libcpp-httplib-dev libmodbus-dev libgtest-dev libgmock-dev
  librapidcheck-dev libbenchmark-dev
)
build_packages=(
  g++ cmake ninja-build ccache pkg-config git ca-certificates "${library_packages[@]}"
)
# To run a fleet on this machine.
fleet_packages=(mosquitto mosquitto-clients curl jq xz-utils)
# What ./check needs beyond these. promtool is part of Debian's prometheus.
check_packages=(clang libclang-rt-14-dev mtools zstd clang-format-14 shellcheck systemd prometheus faketime openssl nats-server)
# What ./check docker needs beyond these.
docker_packages=(docker.io docker-compose mmdebstrap iproute2 util-linux)
# To build firmware for other processors, and to run its tests without one.
firmware_packages=(g++-aarch64-linux-gnu g++-arm-linux-gnueabihf mmdebstrap qemu-user-static)
# To make images, and to boot them.
image_packages=(
  mmdebstrap squashfs-tools e2fsprogs mtools fdisk kmod binutils u-boot-tools xz-utils zstd
  qemu-system-arm qemu-system-x86 u-boot-qemu ovmf
)
# What a sysroot holds beside the libraries.
sysroot_packages=(libc6-dev libstdc++-12-dev "${library_packages[@]}")

# install_missing PACKAGE...: installs with apt what dpkg does not have, with sudo when not root.
install_missing() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "This is not a Debian system; what is needed is: $*" >&2
    return 0
  fi
  local package missing=() as_root=()
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
      missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  echo "installing ${missing[*]}"
  if [[ $EUID -ne 0 ]]; then
    if ! command -v sudo >/dev/null; then
      echo "Neither root nor sudo. As root: apt-get install ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -q &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -q -y --no-install-recommends "${missing[@]}"
}
