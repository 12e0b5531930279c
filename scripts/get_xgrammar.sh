#!/usr/bin/env bash
# Puts the sources of xgrammar, which src/grammar uses, into DIR/xgrammar: from Python's package index by pip, which
# checks the hash that cmake/xgrammar.txt names. Does nothing, and needs no network, if they are there. Several may run
# at once. CMake calls it while it configures.
# Usage: scripts/get_xgrammar.sh DIR
set -euo pipefail
dir=${1:?usage: scripts/get_xgrammar.sh DIR}
wanted=$(cd "$(dirname "$0")/../cmake" && pwd)/xgrammar.txt
stamp=$dir/xgrammar/ingle-package.txt

if cmp -s "$wanted" "$stamp"; then exit 0; fi
mkdir -p "$dir"
tmp=$(mktemp -d "$dir/download.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

echo "== Download the sources of xgrammar, 3 MB"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-binary xgrammar --require-hashes \
    --dest "$tmp/package" --requirement "$wanted" || {
    echo "get_xgrammar: can't download it (a network is needed once; or unpack the package that cmake/xgrammar.txt names" \
        "as $dir/xgrammar and copy that file to $stamp)" >&2
    exit 1
}
mkdir "$tmp/unpacked"
tar -xzf "$tmp"/package/xgrammar-*.tar.gz -C "$tmp/unpacked" --strip-components=1
cp "$wanted" "$tmp/unpacked/ingle-package.txt"
rm -rf "$dir/xgrammar"
mv "$tmp/unpacked" "$dir/xgrammar"
