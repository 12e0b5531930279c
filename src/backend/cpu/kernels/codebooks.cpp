#include "backend/cpu/kernels/codebooks.h"

namespace ingle::cpu {

GroupDecoder group_decoder(DType type, PackTarget target) {
#if defined(__x86_64__)
  const bool biased = target.signed_bias != 0;
  if (target.lanes == 16 && biased && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vbmi")) {
    return vbmi_group_decoder(type);
  }
  if (target.lanes == 8) return avx2_group_decoder(type, biased);  // the tables of 8 lanes have AVX2
#elif defined(__aarch64__)
  if (target.lanes == 4 && target.signed_bias == 0) return neon_group_decoder(type);
#endif
  static_cast<void>(type);
  static_cast<void>(target);
  return nullptr;
}

}  // namespace ingle::cpu
