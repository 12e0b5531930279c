#include "backend/cpu/kernels/codebooks.h"

namespace ingle::cpu {

GroupDecoder group_decoder(DType type, PackTarget target) {
#if defined(__x86_64__)
  if (target.lanes == 16 && target.signed_bias != 0 && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi")) {
    return vbmi_group_decoder(type);
  }
  return avx2_group_decoder(type, target);  // which every CPU has that has tables of these targets
#elif defined(__aarch64__)
  return target.lanes == 4 && target.signed_bias == 0 ? neon_group_decoder(type) : nullptr;
#else
  static_cast<void>(type);
  static_cast<void>(target);
  return nullptr;
#endif
}

}  // namespace ingle::cpu
