#include "backend/cpu/kernels/codebooks_vbmi.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <array>
#include <bit>
#include <cstddef>

#include "backend/cpu/kernels/block_format.h"
#include "backend/cpu/kernels/isa_region.h"
#include "backend/cpu/kernels/kernels.h"
#include "tensor/codebooks.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"  // as in vec_avx512.h
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

INGLE_TARGET_BEGIN("avx512f,avx512bw,avx512vbmi")
namespace ingle::cpu {
namespace {

// A grid's entry is a word of element indices. A table holds the low or the high bytes of a grid's words, and
// vpermi2b looks 64 grid indices up in 128 of them at a time; bits of the index beyond the seventh choose among
// results. Of the two bytes that an index gives, vpmultishiftqb puts each element into a byte of its own, above it the
// elements that follow, and vpermb, which looks at six bits of a byte, replaces it by its level.
//
// Lane r of a vector is row r, as in the record that is written. Blocks hold rows one after the other, so their fields
// come in by dwords, transposed. What is looked up are bytes [row][4]: of IQ3 four grid indices of four columns each,
// of IQ1 and IQ2 four of eight.
using V = __m512i;

constexpr int kLanes = kGroupRows;

template <size_t kEntries>
struct Grid {
  alignas(64) uint8_t low[kEntries];
  alignas(64) uint8_t high[kEntries];
};
template <size_t kEntries>
consteval Grid<kEntries> split(const std::array<uint16_t, kEntries>& words) {
  Grid<kEntries> grid{};
  for (size_t i = 0; i < kEntries; i++) {
    grid.low[i] = static_cast<uint8_t>(words[i]);
    grid.high[i] = static_cast<uint8_t>(words[i] >> 8);
  }
  return grid;
}
constexpr auto kIq1 = split(kIq1Grid);
constexpr auto kIq2Xxs = split(kIq2XxsGrid);
constexpr auto kIq2Xs = split(kIq2XsGrid);
constexpr auto kIq2S = split(kIq2SGrid);
constexpr auto kIq3Xxs = split(kIq3XxsGrid);
constexpr auto kIq3S = split(kIq3SGrid);

struct alignas(64) Bytes {
  uint8_t at[64];
};

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
constexpr Bytes kIq3XxsTable = level_table<3>(kIq3XxsLevels, 128);
constexpr Bytes kIq3STable = level_table<3>(kIq3SLevels, 128);

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

INGLE_INLINE V load(const uint8_t* p) { return _mm512_loadu_si512(p); }
template <Bytes kValue>
INGLE_INLINE V constant() {
  return load(kValue.at);
}
INGLE_INLINE V shift_right(V dwords, uint32_t by) {
  return _mm512_srl_epi32(dwords, _mm_cvtsi32_si128(static_cast<int>(by)));
}
// Byte t of each lane: the lane from bit kFirst + kStep * t on. Above its end there are bits of other lanes: whoever
// takes a field looks at its own bits alone.
template <int kFirst, int kStep>
INGLE_INLINE V fields(V lanes) {
  return _mm512_multishift_epi64_epi8(constant<shifts(kFirst, kStep)>(), lanes);
}
template <Bytes kMask>
INGLE_INLINE __mmask64 test(V v) {
  return _mm512_test_epi8_mask(v, constant<kMask>());
}

// 16 bytes of the row 4 * part below.
template <size_t kBlockBytes>
INGLE_INLINE __m128i quarter(const uint8_t* row, size_t part) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + 4 * part * kBlockBytes));
}

// The four dwords from `from` on of 16 rows that are kBlockBytes apart, a vector each.
template <size_t kBlockBytes>
INGLE_INLINE void load_four(const uint8_t* from, V* to) {
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

// The 16 rows' blocks, but for the f16 that most begin with.
template <size_t kBlockBytes>
INGLE_INLINE void load_blocks(const uint8_t* blocks, V (&to)[kBlockBytes / 4]) {
  constexpr size_t kCount = kBlockBytes / 4;
  for (size_t i = 0; i < kCount; i += 4) {
    const size_t at = i + 4 <= kCount ? i : kCount - 4;
    load_four<kBlockBytes>(blocks + kBlockBytes % 4 + 4 * at, to + at);
  }
}

// Of the low halves of the lanes.
INGLE_INLINE __m512 halves_to_floats(V lanes) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(lanes)); }
// Of the 16 rows, the f16 that their blocks begin with.
template <size_t kBlockBytes>
INGLE_INLINE __m512 load_d(const uint8_t* blocks) {
  V dwords[4];
  load_four<kBlockBytes>(blocks, dwords);
  return halves_to_floats(dwords[0]);
}

// Looks up the low four bits of each lane.
INGLE_INLINE __m512 scale(__m512 d, V index, const std::array<float, 16>& table) {
  return _mm512_mul_ps(d, _mm512_permutexvar_ps(index, _mm512_loadu_ps(table.data())));
}

// The record that is written.
struct Record {
  uint8_t* bytes;

  INGLE_INLINE void scale(uint32_t i, __m512 s) const { _mm512_storeu_ps(bytes + i * sizeof s, s); }
  INGLE_INLINE void scale_32(uint32_t g, __m512 s) const {
    scale(2 * g, s);
    scale(2 * g + 1, s);
  }
  // The codes of columns 4k to 4k + 3.
  INGLE_INLINE void codes(uint32_t k, V biased) const {
    _mm512_storeu_si512(bytes + kFormatInt8.codes_offset(kRecord, kLanes) + k * sizeof biased, biased);
  }
};

// The two bytes of each grid index's entry.
struct Entries {
  V low, high;
};

// By indices whose low seven bits are bytes, the others masks.
template <size_t kEntries>
INGLE_INLINE V lookup(const uint8_t* table, V index, const __mmask64* above) {
  if constexpr (kEntries == 128) {
    return _mm512_permutex2var_epi8(load(table), index, load(table + 64));
  } else {
    constexpr size_t kHalf = kEntries / 2;
    constexpr int kBit = std::countr_zero(kHalf) - 7;
    return _mm512_mask_blend_epi8(above[kBit], lookup<kHalf>(table, index, above),
                                  lookup<kHalf>(table + kHalf, index, above));
  }
}
template <size_t kEntries, size_t kBitsAbove>
INGLE_INLINE Entries lookup(const Grid<kEntries>& grid, V index, const __mmask64 (&above)[kBitsAbove]) {
  static_assert(kEntries == size_t{128} << kBitsAbove);
  return {lookup<kEntries>(grid.low, index, above), lookup<kEntries>(grid.high, index, above)};
}
INGLE_INLINE __mmask64 top_bits(V index) { return _mm512_movepi8_mask(index); }

template <Bytes kTable>
INGLE_INLINE V levels_of(V elements) {
  return _mm512_permutexvar_epi8(elements, constant<kTable>());
}

// Of biased codes, those that `signs` says negated.
INGLE_INLINE V negated(V biased, __mmask64 signs) {
  return _mm512_mask_sub_epi8(biased, signs, _mm512_setzero_si512(), biased);
}
// Eight columns: those of the signs in byte c of each lane.
template <int c>
INGLE_INLINE void put_signed(const Record& out, uint32_t k, V low, V high, V signs) {
  const V of_eight = fields<8 * c, 0>(signs);
  out.codes(k, negated(low, test<bits(1, 1)>(of_eight)));
  out.codes(k + 1, negated(high, test<bits(16, 1)>(of_eight)));
}

// IQ2: eight columns of entry c.
template <int c>
INGLE_INLINE void put_iq2(const Record& out, uint32_t k, const Entries& of, V signs) {
  const V low = levels_of<kIq2Table>(fields<8 * c, 2>(of.low)), high = levels_of<kIq2Table>(fields<8 * c, 2>(of.high));
  put_signed<c>(out, k + 2 * c, low, high, signs);
}
// Sub-block g.
INGLE_INLINE void put_iq2_32(const Record& out, uint32_t g, const Entries& of, V signs) {
  put_iq2<0>(out, 8 * g, of, signs);
  put_iq2<1>(out, 8 * g, of, signs);
  put_iq2<2>(out, 8 * g, of, signs);
  put_iq2<3>(out, 8 * g, of, signs);
}

// IQ3: sixteen columns of four entries, from vector k on; their signs are bytes c and c + 1 of each lane.
template <Bytes kTable, int c>
INGLE_INLINE void put_iq3(const Record& out, uint32_t k, const Entries& of, V signs) {
  const V first = _mm512_permutex2var_epi8(of.low, constant<joined(0)>(), of.high);
  put_signed<c>(out, k, levels_of<kTable>(fields<0, 4>(first)), levels_of<kTable>(fields<16, 4>(first)), signs);
  const V second = _mm512_permutex2var_epi8(of.low, constant<joined(2)>(), of.high);
  put_signed<c + 1>(out, k + 2, levels_of<kTable>(fields<0, 4>(second)), levels_of<kTable>(fields<16, 4>(second)),
                    signs);
}

// IQ1: eight columns of entry c, whose byte in `delta` is 1 or - 1.
template <int c>
INGLE_INLINE void put_iq1(const Record& out, uint32_t k, const Entries& of, V delta) {
  const V both = fields<8 * c, 0>(delta);
  out.codes(k + 2 * c, _mm512_add_epi8(levels_of<kIq1Table>(fields<8 * c, 2>(of.low)), both));
  out.codes(k + 2 * c + 1, _mm512_add_epi8(levels_of<kIq1Table>(fields<8 * c, 2>(of.high)), both));
}
// Sub-block g, of index bytes `low`. The low three bits of each byte of `high` are the indices' highest.
INGLE_INLINE void put_iq1_32(const Record& out, uint32_t g, V low, V high, __mmask64 negative) {
  const __mmask64 above[] = {top_bits(low), test<bits(1, 0)>(high), test<bits(2, 0)>(high), test<bits(4, 0)>(high)};
  const Entries entries = lookup(kIq1, low, above);
  const V delta = _mm512_mask_blend_epi8(negative, _mm512_set1_epi8(1), _mm512_set1_epi8(-1));
  put_iq1<0>(out, 8 * g, entries, delta);
  put_iq1<1>(out, 8 * g, entries, delta);
  put_iq1<2>(out, 8 * g, entries, delta);
  put_iq1<3>(out, 8 * g, entries, delta);
}

// By seven bits in each byte, of which the eighth may be anything.
INGLE_INLINE V even_signs(V sevens) {
  return _mm512_permutex2var_epi8(load(kEvenSigns.data()), sevens, load(kEvenSigns.data() + 64));
}

// Asks for the g-th eighth of a group. All of its lines at once would fill the buffers for misses, and come in while
// nothing is decoded: half the speed from memory.
template <size_t kBlockBytes>
INGLE_INLINE void fetch_eighth(const uint8_t* group, uint32_t g) {
  if (group == nullptr) return;
  constexpr size_t kEighth = kLanes * kBlockBytes / 8;
  for (size_t i = 0; i < kEighth; i += 64) __builtin_prefetch(group + g * kEighth + i);
}

// The types, whose blocks int8_decode.cpp describes.

void decode_iq2_xxs(const uint8_t* blocks, const uint8_t* ahead, uint8_t* record) {
  constexpr size_t kBlockBytes = 66;
  const Record out{record};
  const __m512 d = load_d<kBlockBytes>(blocks);
  V dwords[kBlockBytes / 4];
  load_blocks<kBlockBytes>(blocks, dwords);
  for (uint32_t g = 0; g < kRecord; g++) {
    fetch_eighth<kBlockBytes>(ahead, g);
    const V index = dwords[2 * g], word = dwords[2 * g + 1];
    out.scale_32(g, scale(d, shift_right(word, 28), kIq2Scales));
    const __mmask64 above[] = {top_bits(index)};
    put_iq2_32(out, g, lookup(kIq2Xxs, index, above), even_signs(fields<0, 7>(word)));
  }
}

void decode_iq2_xs(const uint8_t* blocks, const uint8_t* ahead, uint8_t* record) {
  constexpr size_t kBlockBytes = 74;
  const Record out{record};
  const __m512 d = load_d<kBlockBytes>(blocks);
  V dwords[kBlockBytes / 4];
  load_blocks<kBlockBytes>(blocks, dwords);
  for (uint32_t g = 0; g < kRecord; g++) {
    fetch_eighth<kBlockBytes>(ahead, g);
    const V small = shift_right(dwords[16 + g / 4], 8 * (g % 4));
    out.scale(2 * g, scale(d, small, kIq2Scales));
    out.scale(2 * g + 1, scale(d, shift_right(small, 4), kIq2Scales));
    const V* words = dwords + 2 * g;
    const V low = _mm512_permutex2var_epi8(words[0], constant<halves_of_words(0)>(), words[1]);
    const V high = _mm512_permutex2var_epi8(words[0], constant<halves_of_words(1)>(), words[1]);
    const __mmask64 above[] = {top_bits(low), test<bits(1, 0)>(high)};
    put_iq2_32(out, g, lookup(kIq2Xs, low, above), even_signs(shift_right(high, 1)));
  }
}

void decode_iq2_s(const uint8_t* blocks, const uint8_t* ahead, uint8_t* record) {
  constexpr size_t kBlockBytes = 82;
  const Record out{record};
  const __m512 d = load_d<kBlockBytes>(blocks);
  V dwords[kBlockBytes / 4];
  load_blocks<kBlockBytes>(blocks, dwords);
  const V *index = dwords, *signs = index + 8, *above_byte = signs + 8, *small_scales = above_byte + 2;
  for (uint32_t g = 0; g < kRecord; g++) {
    fetch_eighth<kBlockBytes>(ahead, g);
    const V small = shift_right(small_scales[g / 4], 8 * (g % 4));
    out.scale(2 * g, scale(d, small, kIq2Scales));
    out.scale(2 * g + 1, scale(d, shift_right(small, 4), kIq2Scales));
    const V bits_above = fields<0, 2>(shift_right(above_byte[g / 4], 8 * (g % 4)));
    const __mmask64 above[] = {top_bits(index[g]), test<bits(1, 0)>(bits_above), test<bits(2, 0)>(bits_above)};
    put_iq2_32(out, g, lookup(kIq2S, index[g], above), signs[g]);
  }
}

void decode_iq3_xxs(const uint8_t* blocks, const uint8_t* ahead, uint8_t* record) {
  constexpr size_t kBlockBytes = 98;
  const Record out{record};
  const __m512 d = load_d<kBlockBytes>(blocks);
  V dwords[kBlockBytes / 4];
  load_blocks<kBlockBytes>(blocks, dwords);
  for (uint32_t g = 0; g < kRecord; g++) {
    fetch_eighth<kBlockBytes>(ahead, g);
    const V *index = dwords + 2 * g, word = dwords[16 + g];
    out.scale_32(g, scale(d, shift_right(word, 28), kIq3XxsScales));
    const V signs = even_signs(fields<0, 7>(word));
    const __mmask64 above[][1] = {{top_bits(index[0])}, {top_bits(index[1])}};
    put_iq3<kIq3XxsTable, 0>(out, 8 * g, lookup(kIq3Xxs, index[0], above[0]), signs);
    put_iq3<kIq3XxsTable, 2>(out, 8 * g + 4, lookup(kIq3Xxs, index[1], above[1]), signs);
  }
}

void decode_iq3_s(const uint8_t* blocks, const uint8_t* ahead, uint8_t* record) {
  constexpr size_t kBlockBytes = 110;
  const Record out{record};
  const __m512 d = load_d<kBlockBytes>(blocks);
  V dwords[kBlockBytes / 4];
  load_blocks<kBlockBytes>(blocks, dwords);
  const V *above_byte = dwords + 16, *signs = above_byte + 2, *small = signs + 8;
  for (uint32_t g = 0; g < kRecord; g++) {
    fetch_eighth<kBlockBytes>(ahead, g);
    const V* index = dwords + 2 * g;
    out.scale_32(g, scale(d, shift_right(*small, 4 * g), kIq3SScales));
    const V ninth = fields<0, 0>(shift_right(above_byte[g / 4], 8 * (g % 4)));
    const __mmask64 above[][2] = {{top_bits(index[0]), test<bits(1, 1)>(ninth)},
                                  {top_bits(index[1]), test<bits(16, 1)>(ninth)}};
    put_iq3<kIq3STable, 0>(out, 8 * g, lookup(kIq3S, index[0], above[0]), signs[g]);
    put_iq3<kIq3STable, 2>(out, 8 * g + 4, lookup(kIq3S, index[1], above[1]), signs[g]);
  }
}

void decode_iq1_s(const uint8_t* blocks, const uint8_t* ahead, uint8_t* record) {
  constexpr size_t kBlockBytes = 50;
  const Record out{record};
  const __m512 d = load_d<kBlockBytes>(blocks);
  V dwords[kBlockBytes / 4];
  load_blocks<kBlockBytes>(blocks, dwords);
  for (uint32_t g = 0; g < kRecord; g++) {
    fetch_eighth<kBlockBytes>(ahead, g);
    const V word = shift_right(dwords[8 + g / 2], 16 * (g % 2));
    out.scale_32(g, scale(d, shift_right(word, 12), kIq1Scales));
    put_iq1_32(out, g, dwords[g], fields<0, 3>(word), test<bits(128, 0)>(fields<8, 0>(word)));
  }
}

void decode_iq1_m(const uint8_t* blocks, const uint8_t* ahead, uint8_t* record) {
  constexpr size_t kBlockBytes = 56;
  const Record out{record};
  V dwords[kBlockBytes / 4];
  load_blocks<kBlockBytes>(blocks, dwords);
  const V* words = dwords + 12;
  // The top nibbles of four words.
  const V nibble = _mm512_set1_epi32(15);
  V half = _mm512_setzero_si512();
  for (int i = 3; i >= 0; i--) {
    half = _mm512_or_si512(_mm512_slli_epi32(half, 4),
                           _mm512_and_si512(shift_right(words[i / 2], 16 * (i % 2) + 12), nibble));
  }
  const __m512 d = halves_to_floats(half);
  for (uint32_t g = 0; g < kRecord; g++) {
    fetch_eighth<kBlockBytes>(ahead, g);
    const V small = shift_right(words[g / 4], 16 * (g / 2 % 2) + 6 * (g % 2));
    out.scale(2 * g, scale(d, small, kIq1Scales));
    out.scale(2 * g + 1, scale(d, shift_right(small, 3), kIq1Scales));
    const V high = fields<0, 4>(shift_right(dwords[8 + g / 2], 16 * (g % 2)));
    put_iq1_32(out, g, dwords[g], high, test<bits(8, 0)>(high));
  }
}

}  // namespace
}  // namespace ingle::cpu
INGLE_TARGET_END

namespace ingle::cpu {

GroupDecoder vbmi_group_decoder(DType type) {
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vbmi")) {
    return nullptr;
  }
  switch (type) {
    case DType::kIQ1_S:
      return decode_iq1_s;
    case DType::kIQ1_M:
      return decode_iq1_m;
    case DType::kIQ2_XXS:
      return decode_iq2_xxs;
    case DType::kIQ2_XS:
      return decode_iq2_xs;
    case DType::kIQ2_S:
      return decode_iq2_s;
    case DType::kIQ3_XXS:
      return decode_iq3_xxs;
    case DType::kIQ3_S:
      return decode_iq3_s;
    default:
      return nullptr;
  }
}

}  // namespace ingle::cpu

#else

namespace ingle::cpu {
GroupDecoder vbmi_group_decoder(DType) { return nullptr; }
}  // namespace ingle::cpu

#endif
