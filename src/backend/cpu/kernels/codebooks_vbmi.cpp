#include "backend/cpu/kernels/codebooks.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>

#include "backend/cpu/kernels/isa_region.h"
#include "tensor/codebooks.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"  // as in vec_avx512.h
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define INGLE_REGION_BEGIN INGLE_TARGET_BEGIN("avx512f,avx512bw,avx512vbmi")
#define INGLE_REGION_END INGLE_TARGET_END

INGLE_REGION_BEGIN
namespace ingle::cpu {
namespace {

struct Bytes {
  uint8_t at[64];
};

// A grid's entry is a word of element indices. A table holds the low or the high bytes of a grid's words, and
// vpermi2b looks 64 grid indices up in 128 of them at a time; bits of the index beyond the seventh choose among
// results. Of the two bytes that an index gives, vpmultishiftqb puts each element into a byte of its own, above it the
// elements that follow, and vpermb, which looks at six bits of a byte, replaces it by its level.
template <size_t kEntries>
struct Planes {
  alignas(64) uint8_t low[kEntries];
  alignas(64) uint8_t high[kEntries];
};
template <size_t kEntries>
consteval Planes<kEntries> split(const std::array<uint16_t, kEntries>& words) {
  Planes<kEntries> planes{};
  for (size_t i = 0; i < kEntries; i++) {
    planes.low[i] = static_cast<uint8_t>(words[i]);
    planes.high[i] = static_cast<uint8_t>(words[i] >> 8);
  }
  return planes;
}
template <const auto& kGrid>
constexpr auto kPlanes = split(kGrid);

// By the low six bits of a byte: the level of the element in the lowest kWidth of them, plus `bias`.
template <int kWidth, size_t kCount>
consteval Bytes level_table(const std::array<int8_t, kCount>& levels, int bias) {
  Bytes table{};
  for (size_t i = 0; i < sizeof table.at; i++) {
    const size_t element = i & ((1u << kWidth) - 1);
    if (element < kCount) table.at[i] = static_cast<uint8_t>(levels[element] + bias);
  }
  return table;
}
constexpr Bytes kIq1Table = level_table<2>(kIq1Levels, 0);
constexpr Bytes kIq2Table = level_table<2>(kIq2Levels, 128);
template <const auto& kLevels>
constexpr Bytes kIq3Table = level_table<3>(kLevels, 128);

// For vpmultishiftqb: byte t of each lane from bit `first + step * t` of the lane's 32 on.
consteval Bytes shifts(int first, int step) {
  Bytes control{};
  for (int i = 0; i < 64; i++) control.at[i] = static_cast<uint8_t>(i % 8 / 4 * 32 + first + step * (i % 4));
  return control;
}
// For vpermi2b of two vectors of bytes [row][4], as words of both in turn: of each row entries `first` and `first` + 1.
consteval Bytes joined(int first) {
  Bytes control{};
  for (int i = 0; i < 64; i++) control.at[i] = static_cast<uint8_t>(i / 4 * 4 + first + i % 4 / 2 + i % 2 * 64);
  return control;
}
// For vpermi2b of two vectors of words [row][2]: their low or (1) high bytes, those of the first vector first.
consteval Bytes halves_of_words(int half) {
  Bytes control{};
  for (int i = 0; i < 64; i++) control.at[i] = static_cast<uint8_t>(i / 4 * 4 + i % 2 * 2 + half + i % 4 / 2 * 64);
  return control;
}
// Byte t of each lane: `first` << step * t.
consteval Bytes bits(int first, int step) {
  Bytes mask{};
  for (int i = 0; i < 64; i++) mask.at[i] = static_cast<uint8_t>(first << (step * (i % 4)));
  return mask;
}

struct VbmiCodebooks {
  using V = __m512i;
  using F = __m512;
  static constexpr uint32_t kLanes = 16, kRecordLanes = kLanes;

  static INGLE_INLINE V load(const uint8_t* p) { return _mm512_loadu_si512(p); }
  template <Bytes kValue>
  static INGLE_INLINE V constant() {
    return load(kValue.at);
  }
  template <Bytes kMask>
  static INGLE_INLINE __mmask64 test(V v) {
    return _mm512_test_epi8_mask(v, constant<kMask>());
  }

  // 16 bytes of the row 4 * part below.
  template <size_t kBlockBytes>
  static INGLE_INLINE __m128i quarter(const uint8_t* row, size_t part) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + 4 * part * kBlockBytes));
  }
  template <size_t kBlockBytes>
  static INGLE_INLINE void load_four(const uint8_t* from, V* to) {
    V rows[4];  // of the i-th, part L is row 4 L + i
    for (int i = 0; i < 4; i++, from += kBlockBytes) {
      rows[i] = _mm512_castsi128_si512(quarter<kBlockBytes>(from, 0));
      rows[i] = _mm512_mask_broadcast_i32x4(rows[i], 0x00f0, quarter<kBlockBytes>(from, 1));
      rows[i] = _mm512_mask_broadcast_i32x4(rows[i], 0x0f00, quarter<kBlockBytes>(from, 2));
      rows[i] = _mm512_mask_broadcast_i32x4(rows[i], 0xf000, quarter<kBlockBytes>(from, 3));
    }
    const V low[2] = {_mm512_unpacklo_epi32(rows[0], rows[1]), _mm512_unpacklo_epi32(rows[2], rows[3])};
    const V high[2] = {_mm512_unpackhi_epi32(rows[0], rows[1]), _mm512_unpackhi_epi32(rows[2], rows[3])};
    to[0] = _mm512_unpacklo_epi64(low[0], low[1]);
    to[1] = _mm512_unpackhi_epi64(low[0], low[1]);
    to[2] = _mm512_unpacklo_epi64(high[0], high[1]);
    to[3] = _mm512_unpackhi_epi64(high[0], high[1]);
  }

  static INGLE_INLINE V shift_right(V dwords, uint32_t by) {
    return _mm512_srl_epi32(dwords, _mm_cvtsi32_si128(static_cast<int>(by)));
  }
  template <int kFirst, int kStep>
  static INGLE_INLINE V fields(V lanes) {
    return _mm512_multishift_epi64_epi8(constant<shifts(kFirst, kStep)>(), lanes);
  }
  static INGLE_INLINE V low_bytes(V first, V second) {
    return _mm512_permutex2var_epi8(first, constant<halves_of_words(0)>(), second);
  }
  static INGLE_INLINE V high_bytes(V first, V second) {
    return _mm512_permutex2var_epi8(first, constant<halves_of_words(1)>(), second);
  }
  static INGLE_INLINE V bit_and(V lanes, uint32_t mask) {
    return _mm512_and_si512(lanes, _mm512_set1_epi32(static_cast<int>(mask)));
  }
  static INGLE_INLINE V bit_or(V a, V b) { return _mm512_or_si512(a, b); }
  static INGLE_INLINE V shift_left(V lanes, uint32_t by) {
    return _mm512_sll_epi32(lanes, _mm_cvtsi32_si128(static_cast<int>(by)));
  }
  static INGLE_INLINE F halves_to_floats(V lanes) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(lanes)); }
  static INGLE_INLINE void store(uint8_t* p, F floats) { _mm512_storeu_ps(p, floats); }
  static INGLE_INLINE F scale(F d, V index, const std::array<float, 16>& table) {
    return _mm512_mul_ps(d, _mm512_permutexvar_ps(index, _mm512_loadu_ps(table.data())));
  }
  static INGLE_INLINE V even_signs(V sevens) {
    return _mm512_permutex2var_epi8(load(kEvenSigns.data()), sevens, load(kEvenSigns.data() + 64));
  }
  template <int kBit>
  static INGLE_INLINE V deltas(V bytes) {
    return _mm512_mask_blend_epi8(test<bits(kBit, 0)>(bytes), _mm512_set1_epi8(1), _mm512_set1_epi8(-1));
  }

  // The low or the high bytes of entries. `high` has the index's bits from the ninth on, lowest.
  template <size_t kEntries>
  static INGLE_INLINE V lookup(const uint8_t* table, V index, V high) {
    if constexpr (kEntries == 128) {
      return _mm512_permutex2var_epi8(load(table), index, load(table + 64));
    } else {
      constexpr size_t kHalf = kEntries / 2;
      const V lower = lookup<kHalf>(table, index, high), upper = lookup<kHalf>(table + kHalf, index, high);
      __mmask64 in_upper;
      if constexpr (kHalf == 128) {
        in_upper = _mm512_movepi8_mask(index);
      } else {
        in_upper = test<bits(kHalf / 256, 0)>(high);
      }
      return _mm512_mask_blend_epi8(in_upper, lower, upper);
    }
  }
  struct Entries {
    V low, high;
  };
  template <const auto& kGrid>
  static INGLE_INLINE Entries entries(V index, V high) {
    constexpr size_t kCount = std::tuple_size_v<std::remove_cvref_t<decltype(kGrid)>>;
    return {lookup<kCount>(kPlanes<kGrid>.low, index, high), lookup<kCount>(kPlanes<kGrid>.high, index, high)};
  }

  template <Bytes kTable>
  static INGLE_INLINE V levels_of(V elements) {
    return _mm512_permutexvar_epi8(elements, constant<kTable>());
  }
  // Of biased codes, those that `signs` says negated.
  static INGLE_INLINE V negated(V biased, __mmask64 signs) {
    return _mm512_mask_sub_epi8(biased, signs, _mm512_setzero_si512(), biased);
  }
  static INGLE_INLINE void put(uint8_t* codes, uint32_t k, V biased) {
    _mm512_storeu_si512(codes + k * sizeof biased, biased);
  }
  // Eight columns: those of the signs in byte c of each lane.
  template <int c>
  static INGLE_INLINE void put_signed(uint8_t* codes, uint32_t k, V low, V high, V signs) {
    const V of_eight = fields<8 * c, 0>(signs);
    put(codes, k, negated(low, test<bits(1, 1)>(of_eight)));
    put(codes, k + 1, negated(high, test<bits(16, 1)>(of_eight)));
  }

  template <int c>
  static INGLE_INLINE void put_iq2_entry(uint8_t* codes, const Entries& of, V signs) {
    const V low = levels_of<kIq2Table>(fields<8 * c, 2>(of.low));
    put_signed<c>(codes, 2 * c, low, levels_of<kIq2Table>(fields<8 * c, 2>(of.high)), signs);
  }
  template <const auto& kGrid>
  static INGLE_INLINE void put_iq2(uint8_t* codes, V index, V high, V signs) {
    const Entries of = entries<kGrid>(index, high);
    put_iq2_entry<0>(codes, of, signs);
    put_iq2_entry<1>(codes, of, signs);
    put_iq2_entry<2>(codes, of, signs);
    put_iq2_entry<3>(codes, of, signs);
  }

  // Signs are bytes c and c + 1 of each lane.
  template <const auto& kGrid, const auto& kLevels, int c>
  static INGLE_INLINE void put_iq3(uint8_t* codes, V index, V high, V signs) {
    const Entries of = entries<kGrid>(index, high);
    const V first = _mm512_permutex2var_epi8(of.low, constant<joined(0)>(), of.high);
    const V second = _mm512_permutex2var_epi8(of.low, constant<joined(2)>(), of.high);
    constexpr const Bytes& kTable = kIq3Table<kLevels>;
    put_signed<c>(codes, 0, levels_of<kTable>(fields<0, 4>(first)), levels_of<kTable>(fields<16, 4>(first)), signs);
    put_signed<c + 1>(codes, 2, levels_of<kTable>(fields<0, 4>(second)), levels_of<kTable>(fields<16, 4>(second)),
                      signs);
  }

  template <int c>
  static INGLE_INLINE void put_iq1_entry(uint8_t* codes, const Entries& of, V deltas) {
    const V both = fields<8 * c, 0>(deltas);
    put(codes, 2 * c, _mm512_add_epi8(levels_of<kIq1Table>(fields<8 * c, 2>(of.low)), both));
    put(codes, 2 * c + 1, _mm512_add_epi8(levels_of<kIq1Table>(fields<8 * c, 2>(of.high)), both));
  }
  static INGLE_INLINE void put_iq1(uint8_t* codes, V index, V high, V deltas) {
    const Entries of = entries<kIq1Grid>(index, high);
    put_iq1_entry<0>(codes, of, deltas);
    put_iq1_entry<1>(codes, of, deltas);
    put_iq1_entry<2>(codes, of, deltas);
    put_iq1_entry<3>(codes, of, deltas);
  }
};

}  // namespace
}  // namespace ingle::cpu
INGLE_REGION_END

#include "backend/cpu/kernels/codebooks.inl.h"

namespace ingle::cpu {
GroupDecoder vbmi_group_decoder(DType type) { return Codebooks<VbmiCodebooks>::decoder(type); }
}  // namespace ingle::cpu

#endif
