#include "backend/cpu/kernels/codebooks.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <array>
#include <bit>
#include <cstddef>
#include <tuple>
#include <type_traits>

#include "backend/cpu/kernels/isa_region.h"
#include "tensor/codebook_entries.h"
#include "tensor/codebooks.h"

#define INGLE_REGION_BEGIN INGLE_TARGET_BEGIN("avx2,f16c")
#define INGLE_REGION_END INGLE_TARGET_END

INGLE_REGION_BEGIN
namespace ingle::cpu {
namespace {

struct Bytes {
  uint8_t at[32];
};
// For vpshufb: byte c of each lane in all four of it.
consteval Bytes lane_bytes(int c) {
  Bytes control{};
  for (int i = 0; i < 32; i++) control.at[i] = static_cast<uint8_t>(i % 16 / 4 * 4 + c);
  return control;
}
// For vpshufb: the low or (1) high bytes of each lane's two words, from byte `to` of it on; else zeros.
consteval Bytes halves_of_words(int half, int to) {
  Bytes control{};
  for (int i = 0; i < 32; i++) {
    const bool is_there = i % 4 / 2 == to / 2;
    control.at[i] = static_cast<uint8_t>(is_there ? i % 16 / 4 * 4 + i % 2 * 2 + half : 0x80);
  }
  return control;
}
// Byte t of each lane: `first` << t.
consteval Bytes bits(int first) {
  Bytes mask{};
  for (int i = 0; i < 32; i++) mask.at[i] = static_cast<uint8_t>(first << (i % 4));
  return mask;
}
// By four bits: 0x80 where an odd number of them is set.
consteval Bytes parities() {
  Bytes table{};
  for (uint32_t i = 0; i < 32; i++) table.at[i] = static_cast<uint8_t>(std::popcount(i % 16) % 2 * 0x80);
  return table;
}

template <uint32_t kLanesOfRecord, bool kBiased>
struct Avx2Base {
  using V = __m256i;
  using F = __m256;
  static constexpr uint32_t kLanes = 8, kRecordLanes = kLanesOfRecord;

  template <Bytes kValue>
  static INGLE_INLINE V constant() {
    // Clang gives objects that are template arguments no alignment of their own.
    return _mm256_loadu_si256(reinterpret_cast<const V*>(kValue.at));
  }
  static INGLE_INLINE V set1(int byte) { return _mm256_set1_epi8(static_cast<char>(byte)); }
  static INGLE_INLINE V join(__m128i low, __m128i high) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
  }

  template <size_t kBlockBytes>
  static INGLE_INLINE void load_four(const uint8_t* from, V* to) {
    V rows[4];  // i, and i + 4 in the upper half
    for (int i = 0; i < 4; i++, from += kBlockBytes) {
      rows[i] = join(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)),
                     _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 4 * kBlockBytes)));
    }
    const V low[2] = {_mm256_unpacklo_epi32(rows[0], rows[1]), _mm256_unpacklo_epi32(rows[2], rows[3])};
    const V high[2] = {_mm256_unpackhi_epi32(rows[0], rows[1]), _mm256_unpackhi_epi32(rows[2], rows[3])};
    to[0] = _mm256_unpacklo_epi64(low[0], low[1]);
    to[1] = _mm256_unpackhi_epi64(low[0], low[1]);
    to[2] = _mm256_unpacklo_epi64(high[0], high[1]);
    to[3] = _mm256_unpackhi_epi64(high[0], high[1]);
  }

  static INGLE_INLINE V shift_right(V lanes, uint32_t by) {
    return _mm256_srl_epi32(lanes, _mm_cvtsi32_si128(static_cast<int>(by)));
  }
  static INGLE_INLINE V shift_left(V lanes, uint32_t by) {
    return _mm256_sll_epi32(lanes, _mm_cvtsi32_si128(static_cast<int>(by)));
  }
  static INGLE_INLINE V bit_and(V lanes, uint32_t mask) {
    return _mm256_and_si256(lanes, _mm256_set1_epi32(static_cast<int>(mask)));
  }
  static INGLE_INLINE V bit_or(V a, V b) { return _mm256_or_si256(a, b); }

  // Byte t of each lane: the lane from bit kBit on; other bytes are zeros.
  template <int kBit, int t>
  static INGLE_INLINE V field(V lanes) {
    V moved = lanes;
    if constexpr (kBit > 8 * t) moved = _mm256_srli_epi32(lanes, kBit - 8 * t);
    if constexpr (kBit < 8 * t) moved = _mm256_slli_epi32(lanes, 8 * t - kBit);
    return bit_and(moved, 0xffu << (8 * t));
  }
  template <int c>
  static INGLE_INLINE V byte_of_lanes(V lanes) {
    return _mm256_shuffle_epi8(lanes, constant<lane_bytes(c)>());
  }
  static INGLE_INLINE V low_bytes(V first, V second) {
    return bit_or(_mm256_shuffle_epi8(first, constant<halves_of_words(0, 0)>()),
                  _mm256_shuffle_epi8(second, constant<halves_of_words(0, 2)>()));
  }
  static INGLE_INLINE V high_bytes(V first, V second) {
    return bit_or(_mm256_shuffle_epi8(first, constant<halves_of_words(1, 0)>()),
                  _mm256_shuffle_epi8(second, constant<halves_of_words(1, 2)>()));
  }

  static INGLE_INLINE F halves_to_floats(V lanes) {
    const V halves = bit_and(lanes, 0xffff), packed = _mm256_packus_epi32(halves, halves);
    return _mm256_cvtph_ps(_mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0b1000)));
  }
  static INGLE_INLINE void store(uint8_t* p, F floats) { _mm256_storeu_ps(reinterpret_cast<float*>(p), floats); }
  static INGLE_INLINE F scale(F d, V index, const std::array<float, 16>& table) {
    const F low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table.data()), index);
    const F high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table.data() + 8), index);
    const F fourth_bit = _mm256_castsi256_ps(_mm256_slli_epi32(index, 28));
    return _mm256_mul_ps(d, _mm256_blendv_ps(low, high, fourth_bit));
  }
  static INGLE_INLINE V even_signs(V sevens) {
    const V seven = _mm256_and_si256(sevens, set1(0x7f)), low = _mm256_and_si256(seven, set1(15));
    const V high = _mm256_and_si256(_mm256_srli_epi16(seven, 4), set1(7));
    const V odd = _mm256_xor_si256(_mm256_shuffle_epi8(constant<parities()>(), low),
                                   _mm256_shuffle_epi8(constant<parities()>(), high));
    return _mm256_or_si256(seven, odd);
  }
  template <int kBit>
  static INGLE_INLINE V deltas(V bytes) {
    const V is_set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, set1(kBit)), set1(kBit));
    return _mm256_or_si256(is_set, set1(1));
  }

  // Indices of rows 0 1 4 5 2 3 6 7, four each.
  struct alignas(32) Indices {
    uint16_t at[32];
  };
  template <const auto& kGrid>
  static INGLE_INLINE Indices indices(V low, V high) {
    constexpr size_t kCount = std::tuple_size_v<std::remove_cvref_t<decltype(kGrid)>>;
    const V above = kCount == 256 ? _mm256_setzero_si256() : _mm256_and_si256(high, set1(int{kCount / 256 - 1}));
    Indices out;
    _mm256_store_si256(reinterpret_cast<V*>(out.at), _mm256_unpacklo_epi8(low, above));
    _mm256_store_si256(reinterpret_cast<V*>(out.at + 16), _mm256_unpackhi_epi8(low, above));
    return out;
  }

  static INGLE_INLINE void put(uint8_t* codes, uint32_t k, V values) {
    if constexpr (kBiased) values = _mm256_xor_si256(values, set1(0x80));
    _mm256_storeu_si256(reinterpret_cast<V*>(codes + size_t{4} * k * kRecordLanes), values);
  }
  static INGLE_INLINE V add(V a, V b) { return _mm256_add_epi8(a, b); }
  template <int kFirstBit>
  static INGLE_INLINE V negated(V values, V signs) {
    const V mask = constant<bits(kFirstBit)>(), negative = _mm256_cmpeq_epi8(_mm256_and_si256(signs, mask), mask);
    return _mm256_sub_epi8(_mm256_xor_si256(values, negative), negative);
  }

  // The entries that are code c of each row: columns 8c to 8c + 3, and those behind them.
  struct Halves {
    V low, high;
  };
  static INGLE_INLINE __m128i two(const uint64_t* table, uint16_t first, uint16_t second) {
    return _mm_set_epi64x(static_cast<int64_t>(table[second]), static_cast<int64_t>(table[first]));
  }
  template <int c>
  static INGLE_INLINE Halves eights(const uint64_t* table, const Indices& index) {
    const uint16_t* at = index.at + c;
    const V a = join(two(table, at[0], at[4]), two(table, at[8], at[12]));
    const V b = join(two(table, at[16], at[20]), two(table, at[24], at[28]));
    const F a_floats = _mm256_castsi256_ps(a), b_floats = _mm256_castsi256_ps(b);
    return {_mm256_castps_si256(_mm256_shuffle_ps(a_floats, b_floats, 0x88)),
            _mm256_castps_si256(_mm256_shuffle_ps(a_floats, b_floats, 0xdd))};
  }

  static INGLE_INLINE __m128i four_rows(const uint32_t* table, const uint16_t* first, const uint16_t* second) {
    return _mm_set_epi32(static_cast<int>(table[second[4]]), static_cast<int>(table[second[0]]),
                         static_cast<int>(table[first[4]]), static_cast<int>(table[first[0]]));
  }
  template <int q>
  static INGLE_INLINE V four(const uint32_t* table, const Indices& index) {
    const uint16_t* at = index.at + q;
    return join(four_rows(table, at, at + 16), four_rows(table, at + 8, at + 24));
  }
};

}  // namespace
}  // namespace ingle::cpu
INGLE_REGION_END

#include "backend/cpu/kernels/codebooks.inl.h"
#include "backend/cpu/kernels/entry_lookups.inl.h"

namespace ingle::cpu {
GroupDecoder avx2_group_decoder(DType type, PackTarget target) {
  const bool biased = target.signed_bias != 0;
  if (target.lanes == 8 && !biased) return Codebooks<EntryLookups<Avx2Base<8, false>>>::decoder(type);
  if (target.lanes == 8) return Codebooks<EntryLookups<Avx2Base<8, true>>>::decoder(type);
  if (target.lanes == 16 && biased) return Codebooks<EntryLookups<Avx2Base<16, true>>>::decoder(type);
  return nullptr;
}
}  // namespace ingle::cpu

#endif
