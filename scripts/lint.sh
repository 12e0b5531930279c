#!/usr/bin/env bash
# Checks the format of every source and runs clang-tidy over those that the build in $1 compiles.
# Usage: scripts/lint.sh BUILD_DIR [FILE...]     (no files: all)
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: scripts/lint.sh BUILD_DIR [FILE...]}; shift
if [ $# -gt 0 ]; then files=("$@"); else mapfile -t files < <(scripts/list_sources.sh); fi

echo "== clang-format: ${#files[@]} files"
clang-format-16 --dry-run --Werror "${files[@]}"

units=()
for file in "${files[@]}"; do
    case $file in *.cpp) grep -qF "/$file\"" "$build/compile_commands.json" && units+=("$file") ;; esac
done
echo "== clang-tidy: ${#units[@]} files"
printf '%s\n' "${units[@]}" | xargs -P "$(getconf _NPROCESSORS_ONLN)" -n 4 clang-tidy-16 -p "$build" --quiet --warnings-as-errors='*'
echo "lint: no findings"
