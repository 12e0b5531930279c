// det_exp over many values, by the widest vectors that the CPU has: the same bits, a vocabulary in a fraction of the
// time. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <span>

namespace ingle {

// out[i] = det_exp((double(values[i]) - double(offset)) / divisor) for i < count.
using DetExpLoop = void (*)(const float* values, size_t count, float offset, double divisor, double* out);

// Those that this CPU can run, the fastest first.
std::span<const DetExpLoop> det_exp_loops();

}  // namespace ingle
