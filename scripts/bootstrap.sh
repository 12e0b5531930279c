#!/usr/bin/env bash
# Installs the packages that building Ingle takes, those of them that are missing: with apt on Debian 12 and its kin
# (through sudo when not root), with Homebrew on macOS. The macOS half has never been run.
# Usage: scripts/bootstrap.sh [GROUP...]     (no group: what `make run`, `make test` and `make lint` need)
#   ci      more compilers, the emulator and what the checks of .ci/run need
#   arm64   Arm libraries to link in cross builds
set -euo pipefail

build=(g++ cmake ninja-build pkg-config make git ca-certificates python3 python3-pip python3-venv
       libcli11-dev libboost1.81-dev libfmt-dev libspdlog-dev libpcre2-dev libutf8proc-dev libedit-dev libssl-dev openssl prometheus-cpp-dev
       libgtest-dev libgmock-dev libbenchmark-dev librapidcheck-dev clang-format-16 clang-tidy-16)
ci=(clang-16 libclang-rt-16-dev llvm-16 python3-numpy curl)
arm64=(g++-aarch64-linux-gnu qemu-user-static googletest libpcre2-dev:arm64 libutf8proc-dev:arm64)
brew=(cmake ninja pkg-config cli11 boost fmt spdlog pcre2 utf8proc libedit openssl@3 prometheus-cpp googletest google-benchmark rapidcheck
      clang-format python3)

wanted=("${build[@]}")
for group in "$@"; do
    case $group in
    ci) wanted+=("${ci[@]}") ;;
    arm64) wanted+=("${arm64[@]}") ;;
    *) echo "bootstrap: no group named $group" >&2; exit 2 ;;
    esac
done

if [ "$(uname -s)" = Darwin ]; then
    command -v brew > /dev/null || { echo "bootstrap: install Homebrew first" >&2; exit 1; }
    missing=()
    for package in "${brew[@]}"; do brew list "$package" > /dev/null 2>&1 || missing+=("$package"); done
    [ ${#missing[@]} -eq 0 ] || { echo "== Install ${missing[*]} (macOS: untested)"; brew install "${missing[@]}"; }
    exit 0
fi

command -v apt-get > /dev/null || {
    echo "bootstrap: this system has no apt; install what scripts/bootstrap.sh lists, then go on" >&2
    exit 1
}
installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Package}:${Architecture}\n' 2> /dev/null |
    awk '$1 == "ii" { print $2; print $3 }' | sort -u)
missing=()
for package in "${wanted[@]}"; do grep -qxF -- "$package" <<< "$installed" || missing+=("$package"); done
[ ${#missing[@]} -gt 0 ] || { echo "== Everything needed is installed"; exit 0; }

sudo=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo > /dev/null || { echo "bootstrap: run it as root, or install sudo" >&2; exit 1; }
    sudo=(sudo)
fi
echo "== Install ${#missing[@]} packages: ${missing[*]}"
case " ${missing[*]} " in *:arm64*) "${sudo[@]}" dpkg --add-architecture arm64 ;; esac
"${sudo[@]}" apt-get update -q
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
