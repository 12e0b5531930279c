#!/usr/bin/env bash
# The long forms of the tests: fuzzing with coverage, random templates against jinja2, the scheduler under many
# loads, the same-bits product on the default model, and the threaded tests over and over. Hours are welcome; half an hour
# finds what is easy to find.
# Usage: scripts/soak.sh BUILD_DIR [MINUTES_PER_FUZZER]     (default: 10)
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: scripts/soak.sh BUILD_DIR [MINUTES_PER_FUZZER]}
minutes=${2:-10}
jobs=$(getconf _NPROCESSORS_ONLN)
scripts/bootstrap.sh ci

echo "== Threaded tests, 50 times"
ninja -C "$build" -j "$jobs"
ctest --test-dir "$build" --output-on-failure --no-tests=error -R '^(base|engine|store)[.]' --repeat until-fail:50 -j "$jobs"

echo "== The scheduler under 100,000 loads"
INGLE_SIMULATION_SEEDS=100000 "$build/tests/load/scheduler_simulation_test"

echo "== Random chat templates against jinja2"
[ -x build/soak-venv/bin/python ] || python3 -m venv build/soak-venv
build/soak-venv/bin/pip install --quiet --disable-pip-version-check 'jinja2>=3.1.6'
build/soak-venv/bin/python scripts/fuzz_templates.py "$build/src/text/text_test" "$RANDOM" 20

echo "== The default model under pairs of settings"
make -s model
home=${INGLE_HOME:-$HOME/.local/share/ingle}
INGLE_SMOLLM2=$(find "$home/blobs" -name 'sha256-b179c952*') \
    ctest --test-dir "$build" --output-on-failure --no-tests=error -R SameBitsReal

echo "== Hostile clients, and 64 clients with 2,000 requests"
INGLE_LOAD=soak INGLE_LOAD_MODEL=$(find "$home/blobs" -name 'sha256-b179c952*') \
    ctest --test-dir "$build" --output-on-failure --no-tests=error -R '^load[.](hostile|same_answers)'

echo "== Fuzzers, $minutes minutes each; what they find lies in build/found"
cmake --preset asan -B build/fuzz -DCMAKE_CXX_COMPILER=clang++-16 -DINGLE_BUILD_FUZZERS=ON > /dev/null
mkdir -p build/found
for harness in fuzz/fuzz_*.cpp; do
    name=$(basename "$harness" .cpp)
    ninja -C build/fuzz -j "$jobs" "$name"
    build/fuzz/fuzz/"$name" -max_total_time=$((minutes * 60)) -artifact_prefix=build/found/ -print_final_stats=1 \
        build/found "fuzz/corpus/${name#fuzz_}"
done
echo "soak: no findings"
