#include "base/det_exp_loop.h"

#include <vector>

#include "base/det_math.h"

namespace ingle {
namespace {

// Compiled with -fno-trapping-math (CMakeLists.txt): where floating-point exceptions might be observed, GCC leaves the
// selections in det_exp as branches, and vectorises nothing.
[[gnu::always_inline]] inline void loop(const float* values, size_t count, float offset, double divisor, double* out) {
  const double from = static_cast<double>(offset);
  for (size_t i = 0; i < count; i++) out[i] = det_exp((static_cast<double>(values[i]) - from) / divisor);
}

void by_default(const float* values, size_t count, float offset, double divisor, double* out) {
  loop(values, count, offset, divisor, out);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] void by_avx2(const float* values, size_t count, float offset, double divisor, double* out) {
  loop(values, count, offset, divisor, out);
}
[[gnu::target("avx512f,avx512dq")]] void by_avx512(const float* values, size_t count, float offset, double divisor,
                                                   double* out) {
  loop(values, count, offset, divisor, out);
}
#endif

std::vector<DetExpLoop> find_loops() {
  std::vector<DetExpLoop> loops;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) loops.push_back(by_avx512);
  if (__builtin_cpu_supports("avx2")) loops.push_back(by_avx2);
#endif
  loops.push_back(by_default);
  return loops;
}

}  // namespace

std::span<const DetExpLoop> det_exp_loops() {
  static const std::vector<DetExpLoop> loops = find_loops();
  return loops;
}

}  // namespace ingle
