#include "backend/cpu/kernels/codebooks.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>

#include "backend/cpu/kernels/isa_region.h"
#include "tensor/codebook_entries.h"
#include "tensor/codebooks.h"

// What every CPU of 64-bit Arm has.
#define INGLE_REGION_BEGIN
#define INGLE_REGION_END

namespace ingle::cpu {
namespace {

struct Bytes {
  uint8_t at[16];
};
// For tbl: byte c of each lane in all four of it.
consteval Bytes lane_bytes(int c) {
  Bytes control{};
  for (int i = 0; i < 16; i++) control.at[i] = static_cast<uint8_t>(i / 4 * 4 + c);
  return control;
}
// For tbl of two vectors of words [row][2]: their low or (1) high bytes, those of the first vector first.
consteval Bytes halves_of_words(int half) {
  Bytes control{};
  for (int i = 0; i < 16; i++) control.at[i] = static_cast<uint8_t>(i % 4 / 2 * 16 + i / 4 * 4 + i % 2 * 2 + half);
  return control;
}
// Byte t of each lane: `first` << t.
consteval Bytes bits(int first) {
  Bytes mask{};
  for (int i = 0; i < 16; i++) mask.at[i] = static_cast<uint8_t>(first << (i % 4));
  return mask;
}

struct NeonBase {
  using V = uint32x4_t;
  using F = float32x4_t;
  static constexpr uint32_t kLanes = 4, kRecordLanes = kLanes;

  template <Bytes kValue>
  static INGLE_INLINE uint8x16_t constant() {
    return vld1q_u8(kValue.at);
  }
  static INGLE_INLINE uint8x16_t bytes(V v) { return vreinterpretq_u8_u32(v); }
  static INGLE_INLINE V lanes(uint8x16_t v) { return vreinterpretq_u32_u8(v); }

  template <size_t kBlockBytes>
  static INGLE_INLINE void load_four(const uint8_t* from, V* to) {
    V rows[4];
    for (int i = 0; i < 4; i++) rows[i] = lanes(vld1q_u8(from + i * kBlockBytes));
    const uint64x2_t even[2] = {vreinterpretq_u64_u32(vtrn1q_u32(rows[0], rows[1])),
                                vreinterpretq_u64_u32(vtrn1q_u32(rows[2], rows[3]))};
    const uint64x2_t odd[2] = {vreinterpretq_u64_u32(vtrn2q_u32(rows[0], rows[1])),
                               vreinterpretq_u64_u32(vtrn2q_u32(rows[2], rows[3]))};
    to[0] = vreinterpretq_u32_u64(vtrn1q_u64(even[0], even[1]));
    to[1] = vreinterpretq_u32_u64(vtrn1q_u64(odd[0], odd[1]));
    to[2] = vreinterpretq_u32_u64(vtrn2q_u64(even[0], even[1]));
    to[3] = vreinterpretq_u32_u64(vtrn2q_u64(odd[0], odd[1]));
  }

  static INGLE_INLINE V shift_right(V v, uint32_t by) { return vshlq_u32(v, vdupq_n_s32(-static_cast<int32_t>(by))); }
  static INGLE_INLINE V shift_left(V v, uint32_t by) { return vshlq_u32(v, vdupq_n_s32(static_cast<int32_t>(by))); }
  static INGLE_INLINE V bit_and(V v, uint32_t mask) { return vandq_u32(v, vdupq_n_u32(mask)); }
  static INGLE_INLINE V bit_or(V a, V b) { return vorrq_u32(a, b); }

  // Byte t of each lane: the lane from bit kBit on; other bytes are zeros.
  template <int kBit, int t>
  static INGLE_INLINE V field(V v) {
    return bit_and(vshlq_u32(v, vdupq_n_s32(8 * t - kBit)), 0xffu << (8 * t));
  }
  template <int c>
  static INGLE_INLINE V byte_of_lanes(V v) {
    return lanes(vqtbl1q_u8(bytes(v), constant<lane_bytes(c)>()));
  }
  static INGLE_INLINE V low_bytes(V first, V second) {
    return lanes(vqtbl2q_u8({{bytes(first), bytes(second)}}, constant<halves_of_words(0)>()));
  }
  static INGLE_INLINE V high_bytes(V first, V second) {
    return lanes(vqtbl2q_u8({{bytes(first), bytes(second)}}, constant<halves_of_words(1)>()));
  }

  static INGLE_INLINE F halves_to_floats(V v) { return vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32(v))); }
  static INGLE_INLINE void store(uint8_t* p, F floats) { vst1q_f32(reinterpret_cast<float*>(p), floats); }
  static INGLE_INLINE F scale(F d, V index, const std::array<float, 16>& table) {
    const auto* at = reinterpret_cast<const uint8_t*>(table.data());
    const uint8x16x4_t all = {{vld1q_u8(at), vld1q_u8(at + 16), vld1q_u8(at + 32), vld1q_u8(at + 48)}};
    const V places = vmlaq_n_u32(vdupq_n_u32(0x03020100), bit_and(index, 15), 0x04040404);
    return vmulq_f32(d, vreinterpretq_f32_u8(vqtbl4q_u8(all, bytes(places))));
  }
  static INGLE_INLINE V even_signs(V sevens) {
    const uint8x16_t seven = vandq_u8(bytes(sevens), vdupq_n_u8(0x7f));
    return lanes(vorrq_u8(seven, vshlq_n_u8(vcntq_u8(seven), 7)));
  }
  template <int kBit>
  static INGLE_INLINE V deltas(V v) {
    return lanes(vorrq_u8(vtstq_u8(bytes(v), vdupq_n_u8(kBit)), vdupq_n_u8(1)));
  }

  // [row][4]
  struct Indices {
    uint16_t at[16];
  };
  template <const auto& kGrid>
  static INGLE_INLINE Indices indices(V low, V high) {
    constexpr size_t kCount = std::tuple_size_v<std::remove_cvref_t<decltype(kGrid)>>;
    const uint8x16_t above = vandq_u8(bytes(high), vdupq_n_u8(kCount / 256 - 1));
    Indices out;
    vst1q_u16(out.at, vreinterpretq_u16_u8(vzip1q_u8(bytes(low), above)));
    vst1q_u16(out.at + 8, vreinterpretq_u16_u8(vzip2q_u8(bytes(low), above)));
    return out;
  }

  static INGLE_INLINE void put(uint8_t* codes, uint32_t k, V values) { vst1q_u8(codes + 16 * k, bytes(values)); }
  static INGLE_INLINE V add(V a, V b) { return lanes(vaddq_u8(bytes(a), bytes(b))); }
  template <int kFirstBit>
  static INGLE_INLINE V negated(V values, V signs) {
    const uint8x16_t negative = vtstq_u8(bytes(signs), constant<bits(kFirstBit)>());
    return lanes(vsubq_u8(veorq_u8(bytes(values), negative), negative));
  }

  struct Halves {
    V low, high;
  };
  static INGLE_INLINE V two(const uint64_t* table, uint16_t first, uint16_t second) {
    return vreinterpretq_u32_u64(vld1q_lane_u64(table + second, vld1q_dup_u64(table + first), 1));
  }
  template <int c>
  static INGLE_INLINE Halves eights(const uint64_t* table, const Indices& index) {
    const uint16_t* at = index.at + c;
    const V a = two(table, at[0], at[4]), b = two(table, at[8], at[12]);
    return {vuzp1q_u32(a, b), vuzp2q_u32(a, b)};
  }
  template <int q>
  static INGLE_INLINE V four(const uint32_t* table, const Indices& index) {
    const uint16_t* at = index.at + q;
    V values = vld1q_dup_u32(table + at[0]);
    values = vld1q_lane_u32(table + at[4], values, 1);
    values = vld1q_lane_u32(table + at[8], values, 2);
    return vld1q_lane_u32(table + at[12], values, 3);
  }
};

}  // namespace
}  // namespace ingle::cpu

#include "backend/cpu/kernels/codebooks.inl.h"
#include "backend/cpu/kernels/entry_lookups.inl.h"

namespace ingle::cpu {
GroupDecoder neon_group_decoder(DType type) { return Codebooks<EntryLookups<NeonBase>>::decoder(type); }
}  // namespace ingle::cpu

#endif
