# shellcheck shell=bash
# Debian's Docker engine for a test, started and stopped by it, without a registry: sourced by the scripts
# here, which say which processor the images are for (`architecture`) before they import a base.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
base=debian:bookworm-slim
architecture=$(dpkg --print-architecture)
export PATH=/usr/bin:/usr/sbin:/sbin:$PATH LC_ALL=C.UTF-8

work=$(mktemp -d "${TMPDIR:-/tmp}/dunlin-docker.XXXXXX")
export DOCKER_HOST=unix://$work/docker.sock
checkout=$work/checkout

step() { printf '%4d s  %s\n' "$SECONDS" "$*"; }
fail() {
  printf '%4d s  FAILED: %s\n' "$SECONDS" "$*" >&2
  exit 1
}

# until_true SECONDS COMMAND...: false when it never came true.
until_true() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" 2>/dev/null; do
    ((SECONDS < deadline)) || return 1
    sleep 0.5
  done
}

# ---- the engine ----

start_engine() {
  dockerd --data-root "$work/data" --exec-root "$work/exec" -H "$DOCKER_HOST" --pidfile "$work/dockerd.pid" \
    --iptables=false --ip6tables=false --ip-forward=false --bridge=none </dev/null &>"$work/dockerd.log" &
  engine=$!
  until_true 60 docker info >/dev/null || { tail "$work/dockerd.log" >&2 && fail "no Docker engine"; }
}

# clean_up [CODE]: ends the script.
clean_up() {
  local code=${1:-$?}
  trap '' INT TERM HUP
  if [[ -n ${engine:-} ]]; then
    docker ps -aq | xargs -r docker rm -f >/dev/null || true
    docker network prune -f >/dev/null || true  # its bridges are this machine's
    kill "$engine" || true
    wait "$engine" || true
    umount "$work"/exec/netns/* 2>/dev/null || true
  fi
  rm -rf "$work"
  exit "$code"
}

# ---- images ----

import_base() {
  local tar=$root/build/docker/bookworm-slim-$architecture.tar
  if [[ ! -f $tar ]]; then
    mkdir -p "$(dirname "$tar")"
    mmdebstrap --quiet --variant=minbase --architectures="$architecture" --dpkgopt='path-exclude=/usr/share/doc/*' \
      --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
      bookworm "${tar%.tar}.part.tar" && mv "${tar%.tar}.part.tar" "$tar"
  fi
  docker import --platform "linux/$architecture" -c 'CMD ["bash"]' "$tar" "$base" >/dev/null
}

# build CONTEXT TARGET TAG [OPTION...]: as compose does, but for the network: this engine gives none.
build() {
  docker build -q --network host -f "$1/docker/Dockerfile" --target "$2" -t "dunlin-$2:$3" \
    --build-arg BASE="$base" "${@:4}" "$1" >/dev/null
}

size_of() { docker image inspect -f '{{.Size}}' "$1"; }
label_of() { docker image inspect -f "{{index .Config.Labels \"org.opencontainers.image.$2\"}}" "$1"; }
adds_at_most() {  # IMAGE MEGABYTES
  local added=$(($(size_of "$1") - $(size_of "$base")))
  step "$1 adds $((added / 1000)) kB to its base"
  ((added <= $2 * 1000000)) || fail "more than $2 MB"
}
