#include "backend/cpu/kernels/kernels.h"

namespace ingle::cpu {

size_t KvLayout::head_bytes() const {
  const size_t values = size_t{head_dim} * kPageTokens;
  switch (type) {
    case KvType::kF32:
      return values * sizeof(float);
    case KvType::kF16:
      return values * sizeof(uint16_t);
    case KvType::kQ8_0:
      break;
  }
  return (values + size_t{chunks()} * kPageTokens * sizeof(uint16_t) + 63) / 64 * 64;
}

}  // namespace ingle::cpu
