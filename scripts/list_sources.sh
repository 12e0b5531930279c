#!/usr/bin/env bash
# Prints the C++ sources of the project, one per line: what `make format` and `make lint` work on.
set -euo pipefail
cd "$(dirname "$0")/.."
find apps src tests benchmarks fuzz -name '*.cpp' -o -name '*.h' | LC_ALL=C sort
