// KV memory as templates over a vector type: how a page's elements are read, and how one token is written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "backend/cpu/kernels/kernels.h"

INGLE_REGION_BEGIN
namespace ingle::cpu {

inline constexpr uint32_t kScaleChunk = 32;  // channels that share a scale of q8_0
inline constexpr uint32_t kMaxScaleChunks = kMaxHeadDim / kScaleChunk;

// One element type of KV memory: how vectors of it are read, and how a row of channels is written. encode() also gives
// the row's f16 scales, if the type has any.
template <class Isa, KvType kType>
struct KvElements;

template <class Isa>
struct KvElements<Isa, KvType::kF32> {
  using Element = float;
  static INGLE_INLINE typename Isa::F load(const float* p) { return Isa::loadu(p); }
  static INGLE_INLINE typename Isa::F load_partial(const float* p, uint32_t n) { return Isa::load_partial(p, n); }
  static void encode(const float* x, uint32_t n, float* out, uint16_t*) { std::memcpy(out, x, n * sizeof(float)); }
};

template <class Isa>
struct KvElements<Isa, KvType::kF16> {
  using Element = uint16_t;
  static INGLE_INLINE typename Isa::F load(const uint16_t* p) { return Isa::load_f16(p); }
  static INGLE_INLINE typename Isa::F load_partial(const uint16_t* p, uint32_t n) {
    return Isa::load_f16_partial(p, n);
  }
  static void encode(const float* x, uint32_t n, uint16_t* out, uint16_t*) {
    uint32_t i = 0;
    for (; i + Isa::kLanes <= n; i += Isa::kLanes) Isa::store_f16(out + i, Isa::loadu(x + i));
    if (i < n) Isa::store_f16_partial(out + i, n - i, Isa::load_partial(x + i, n - i));
  }
};

template <class Isa>
struct KvElements<Isa, KvType::kQ8_0> {
  using F = typename Isa::F;
  using Element = int8_t;
  static constexpr uint32_t kLanes = Isa::kLanes;

  static INGLE_INLINE F load(const int8_t* p) { return Isa::load_i8(p); }
  static INGLE_INLINE F load_partial(const int8_t* p, uint32_t n) { return Isa::load_i8_partial(p, n); }

  static void encode(const float* x, uint32_t n, int8_t* out, uint16_t* scales) {
    for (uint32_t c = 0; c * kScaleChunk < n; c++) {
      const uint32_t first = c * kScaleChunk;
      scales[c] = encode_chunk(x + first, n - first < kScaleChunk ? n - first : kScaleChunk, out + first);
    }
  }

  // scale = the largest magnitude / 127, rounded to f16; quants = x / scale (as rounded), to nearest even, clamped to
  // -127..127. A chunk with a value that is not finite reads as NaN.
  static uint16_t encode_chunk(const float* x, uint32_t n, int8_t* out) {
    F largest = Isa::zero();
    typename Isa::M finite = Isa::first_n(kLanes);
    for (uint32_t i = 0; i < n; i += kLanes) {
      const F a = Isa::abs(Isa::load_partial(x + i, left(i, n)));
      largest = Isa::max(a, largest);
      finite = Isa::mask_and(finite, Isa::is_finite(a));
    }
    std::memset(out, 0, n);
    if (!Isa::all(finite)) return 0x7e00;
    float lanes[kLanes];
    Isa::storeu(lanes, largest);
    float magnitude = 0;
    for (float lane : lanes) magnitude = lane > magnitude ? lane : magnitude;
    const uint16_t scale = float_to_half(magnitude / 127.0f);
    if (scale == 0) return 0;
    const F divisor = Isa::set1(half_to_float(scale));
    for (uint32_t i = 0; i < n; i += kLanes) {
      const F quant = Isa::round_even(Isa::div(Isa::load_partial(x + i, left(i, n)), divisor));
      Isa::store_i8_partial(out + i, left(i, n), Isa::max(Isa::set1(-127), Isa::min(Isa::set1(127), quant)));
    }
    return scale;
  }

  static uint32_t left(uint32_t i, uint32_t n) { return n - i < kLanes ? n - i : kLanes; }
};

// Where things lie in a page (kernels.h, KvLayout), and the writing of one token.
template <class Isa, KvType kType>
struct KvPages {
  using Elements = KvElements<Isa, kType>;
  using Element = typename Elements::Element;
  static constexpr bool kScaled = kType == KvType::kQ8_0;

  static size_t keys_offset(const KvLayout& layout, uint32_t head) { return head * layout.head_bytes(); }
  static size_t values_offset(const KvLayout& layout, uint32_t head) {
    return (size_t{layout.kv_heads} + head) * layout.head_bytes();
  }
  // The scales lie behind the elements of a head's keys or values.
  static size_t scales_offset(const KvLayout& layout) {
    return size_t{layout.head_dim} * kPageTokens * sizeof(Element);
  }

  static void store_keys(const KvLayout& layout, std::byte* page, uint32_t slot, KvHeads heads, const float* k) {
    const uint32_t head_dim = layout.head_dim, chunks = kScaled ? layout.chunks() : 0;
    Element row[kMaxHeadDim];
    uint16_t row_scales[kMaxScaleChunks];
    for (uint32_t h = 0; h < heads.count; h++) {
      std::byte* keys = page + keys_offset(layout, heads.first + h);
      Elements::encode(k + size_t{h} * head_dim, head_dim, row, row_scales);
      Element* column = reinterpret_cast<Element*>(keys) + slot;
      for (uint32_t d = 0; d < head_dim; d++) column[size_t{d} * kPageTokens] = row[d];
      uint16_t* key_scales = reinterpret_cast<uint16_t*>(keys + scales_offset(layout)) + slot;
      for (uint32_t c = 0; c < chunks; c++) key_scales[c * kPageTokens] = row_scales[c];
    }
  }

  static void store_values(const KvLayout& layout, std::byte* page, uint32_t slot, KvHeads heads, const float* v) {
    const uint32_t head_dim = layout.head_dim, chunks = kScaled ? layout.chunks() : 0;
    Element row[kMaxHeadDim];
    uint16_t row_scales[kMaxScaleChunks];
    for (uint32_t h = 0; h < heads.count; h++) {
      std::byte* values = page + values_offset(layout, heads.first + h);
      Elements::encode(v + size_t{h} * head_dim, head_dim, row, row_scales);
      std::memcpy(values + size_t{slot} * head_dim * sizeof(Element), row, head_dim * sizeof(Element));
      std::memcpy(values + scales_offset(layout) + size_t{slot} * chunks * sizeof(uint16_t), row_scales,
                  chunks * sizeof(uint16_t));
    }
  }
};

}  // namespace ingle::cpu
INGLE_REGION_END
