#include "backend/cpu/kernels/codebooks_vbmi.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <array>
#include <cstddef>

#include "backend/cpu/kernels/block_format.h"
#include "backend/cpu/kernels/isa_region.h"
#include "backend/cpu/kernels/kernels.h"
#include "tensor/codebooks.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"  // as in vec_avx512.h
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

INGLE_TARGET_BEGIN("avx2,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")
namespace ingle::cpu {
namespace {

// A grid's entry is a word of element indices. A table holds the low or the high bytes of a grid's words, and
// vpermi2b looks 64 grid indices up in 128 of them at a time; bits of the index beyond the seventh choose among
// results. Of the two bytes that an index gives, vpmultishiftqb puts each element into a byte of its own, above it the
// elements that follow, and vpermb, which looks at six bits of a byte, replaces it by its level.
//
// Lane r of a vector is row r, as in the record that is written. Blocks hold rows one after the other, so their fields
// come in by dwords, transposed: of IQ3 four grid indices of four columns each, of IQ1 and IQ2 four of eight.
using V = __m512i;

constexpr int kLanes = kGroupRows;

template <size_t kEntries>
struct Grid {
  alignas(64) std::array<uint8_t, kEntries> low, high;
};
template <size_t kEntries>
constexpr Grid<kEntries> grid(const std::array<uint16_t, kEntries>& words) {
  Grid<kEntries> bytes{};
  for (size_t i = 0; i < kEntries; i++) {
    bytes.low[i] = static_cast<uint8_t>(words[i]);
    bytes.high[i] = static_cast<uint8_t>(words[i] >> 8);
  }
  return bytes;
}
constexpr auto kIq1Bytes = grid(kIq1Grid);
constexpr auto kIq2XxsBytes = grid(kIq2XxsGrid);
constexpr auto kIq2XsBytes = grid(kIq2XsGrid);
constexpr auto kIq2SBytes = grid(kIq2SGrid);
constexpr auto kIq3XxsBytes = grid(kIq3XxsGrid);
constexpr auto kIq3SBytes = grid(kIq3SGrid);

struct alignas(64) Bytes {
  std::array<uint8_t, 64> at;
};

// By the low six bits of a byte: the level of the element in the lowest kBits of them, plus `bias`.
template <int kBits, size_t kLevels>
constexpr Bytes levels(const std::array<int8_t, kLevels>& of, int bias) {
  Bytes table{};
  for (size_t i = 0; i < table.at.size(); i++) {
    const size_t element = i & ((1u << kBits) - 1);
    if (element < kLevels) table.at[i] = static_cast<uint8_t>(of[element] + bias);
  }
  return table;
}
constexpr Bytes kIq1Table = levels<2>(kIq1Levels, 0);
constexpr Bytes kIq2Table = levels<2>(kIq2Levels, 128);
constexpr Bytes kIq3XxsTable = levels<3>(kIq3XxsLevels, 128);
constexpr Bytes kIq3STable = levels<3>(kIq3SLevels, 128);

// For vpmultishiftqb: byte t of each lane from bit `first + step * t` of the lane's 32 on.
constexpr Bytes shifts(int first, int step) {
  Bytes control{};
  for (int i = 0; i < 64; i++) control.at[i] = static_cast<uint8_t>(i % 8 / 4 * 32 + first + step * (i % 4));
  return control;
}
// For vpermi2b of two vectors of bytes [row][4], as words of both in turn: of each row entries `first` and `first` + 1.
constexpr Bytes joined(int first) {
  Bytes control{};
  for (int i = 0; i < 64; i++) control.at[i] = static_cast<uint8_t>(i / 4 * 4 + first + i % 4 / 2 + i % 2 * 64);
  return control;
}
// For vpermi2b of two vectors of words [row][2]: their low or (1) high bytes, those of the first vector first.
constexpr Bytes halves_of_words(int half) {
  Bytes control{};
  for (int i = 0; i < 64; i++) control.at[i] = static_cast<uint8_t>(i / 4 * 4 + i % 2 * 2 + half + i % 4 / 2 * 64);
  return control;
}
// Byte t of each lane: `first` << step * t.
constexpr Bytes bits(int first, int step) {
  Bytes mask{};
  for (int i = 0; i < 64; i++) mask.at[i] = static_cast<uint8_t>(first << (step * (i % 4)));
  return mask;
}

INGLE_INLINE V load(const uint8_t* p) { return _mm512_loadu_si512(p); }
template <Bytes kBytes>
INGLE_INLINE V constant() {
  return load(kBytes.at.data());
}
INGLE_INLINE V shift_right(V dwords, uint32_t by) {
  return _mm512_srl_epi32(dwords, _mm_cvtsi32_si128(static_cast<int>(by)));
}
// Byte t of each lane: the lane from bit kFirst + kStep * t on.
template <int kFirst, int kStep>
INGLE_INLINE V fields(V lanes) {
  return _mm512_multishift_epi64_epi8(constant<shifts(kFirst, kStep)>(), lanes);
}
template <Bytes kBits>
INGLE_INLINE __mmask64 test(V v) {
  return _mm512_test_epi8_mask(v, constant<kBits>());
}

// Part `part` of `rows`: 16 bytes of the row 4 * part below.
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

// kCount dwords of each row, four or more.
template <size_t kBlockBytes, size_t kCount>
INGLE_INLINE void load_dwords(const uint8_t* from, V* to) {
  for (size_t i = 0; i < kCount; i += 4) {
    const size_t at = i + 4 <= kCount ? i : kCount - 4;
    load_four<kBlockBytes>(from + 4 * at, to + at);
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

// `above`: the indices' bits from the eighth on.
template <size_t kEntries>
INGLE_INLINE V lookup(const std::array<uint8_t, kEntries>& table, V index, const __mmask64* above) {
  constexpr size_t kParts = kEntries / 128;
  V part[kParts];
#pragma GCC unroll 16
  for (size_t i = 0; i < kParts; i++) {
    part[i] = _mm512_permutex2var_epi8(load(table.data() + 128 * i), index, load(table.data() + 128 * i + 64));
  }
#pragma GCC unroll 4
  for (size_t n = kParts / 2; n > 0; n /= 2, above++) {
#pragma GCC unroll 8
    for (size_t i = 0; i < n; i++) part[i] = _mm512_mask_blend_epi8(*above, part[2 * i], part[2 * i + 1]);
  }
  return part[0];
}
template <size_t kEntries>
INGLE_INLINE Entries lookup(const Grid<kEntries>& grid, V index, const __mmask64* above) {
  return {lookup(grid.low, index, above), lookup(grid.high, index, above)};
}
INGLE_INLINE __mmask64 eighth_bits(V index) { return _mm512_movepi8_mask(index); }

template <Bytes kLevels>
INGLE_INLINE V levels_of(V elements) {
  return _mm512_permutexvar_epi8(elements, constant<kLevels>());
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
template <Bytes kLevels, int c>
INGLE_INLINE void put_iq3(const Record& out, uint32_t k, const Entries& of, V signs) {
  const V first = _mm512_permutex2var_epi8(of.low, constant<joined(0)>(), of.high);
  put_signed<c>(out, k, levels_of<kLevels>(fields<0, 4>(first)), levels_of<kLevels>(fields<16, 4>(first)), signs);
  const V second = _mm512_permutex2var_epi8(of.low, constant<joined(2)>(), of.high);
  put_signed<c + 1>(out, k + 2, levels_of<kLevels>(fields<0, 4>(second)), levels_of<kLevels>(fields<16, 4>(second)),
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
  const __mmask64 above[] = {eighth_bits(low), test<bits(1, 0)>(high), test<bits(2, 0)>(high), test<bits(4, 0)>(high)};
  const Entries entries = lookup(kIq1Bytes, low, above);
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

// Asks for an eighth of the group after the next. A whole group's lines at once would fill the buffers for misses, and
// come in while nothing is decoded: half the speed from memory.
template <size_t kBlockBytes>
INGLE_INLINE void fetch_eighth(const uint8_t* blocks, uint32_t g) {
  constexpr size_t kGroup = kLanes * kBlockBytes, kEighth = kGroup / 8;
  const uint8_t* ahead = blocks + 2 * kGroup + g * kEighth;
  for (size_t i = 0; i < kEighth; i += 64) __builtin_prefetch(ahead + i);
}

// The types, whose blocks int8_decode.cpp describes.

void decode_iq2_xxs(const uint8_t* blocks, uint8_t* record) {
  constexpr size_t kBytes = 66;
  const Record out{record};
  const __m512 d = load_d<kBytes>(blocks);
  V dwords[16];
  load_dwords<kBytes, 16>(blocks + 2, dwords);
  for (uint32_t g = 0; g < kRecord; g++) {
    fetch_eighth<kBytes>(blocks, g);
    const V index = dwords[2 * g], word = dwords[2 * g + 1];
    out.scale_32(g, scale(d, shift_right(word, 28), kIq2Scales));
    const __mmask64 above[] = {eighth_bits(index)};
    put_iq2_32(out, g, lookup(kIq2XxsBytes, index, above), even_signs(fields<0, 7>(word)));
  }
}

void decode_iq2_xs(const uint8_t* blocks, uint8_t* record) {
  constexpr size_t kBytes = 74;
  const Record out{record};
  const __m512 d = load_d<kBytes>(blocks);
  V dwords[18];
  load_dwords<kBytes, 18>(blocks + 2, dwords);
  for (uint32_t g = 0; g < kRecord; g++) {
    fetch_eighth<kBytes>(blocks, g);
    const V small = shift_right(dwords[16 + g / 4], 8 * (g % 4));
    out.scale(2 * g, scale(d, small, kIq2Scales));
    out.scale(2 * g + 1, scale(d, shift_right(small, 4), kIq2Scales));
    const V* words = dwords + 2 * g;
    const V low = _mm512_permutex2var_epi8(words[0], constant<halves_of_words(0)>(), words[1]);
    const V high = _mm512_permutex2var_epi8(words[0], constant<halves_of_words(1)>(), words[1]);
    const __mmask64 above[] = {eighth_bits(low), test<bits(1, 0)>(high)};
    put_iq2_32(out, g, lookup(kIq2XsBytes, low, above), even_signs(shift_right(high, 1)));
  }
}

void decode_iq2_s(const uint8_t* blocks, uint8_t* record) {
  constexpr size_t kBytes = 82;
  const Record out{record};
  const __m512 d = load_d<kBytes>(blocks);
  V dwords[20];
  load_dwords<kBytes, 20>(blocks + 2, dwords);
  const V *index = dwords, *signs = index + 8, *above_byte = signs + 8, *small_scales = above_byte + 2;
  for (uint32_t g = 0; g < kRecord; g++) {
    fetch_eighth<kBytes>(blocks, g);
    const V small = shift_right(small_scales[g / 4], 8 * (g % 4));
    out.scale(2 * g, scale(d, small, kIq2Scales));
    out.scale(2 * g + 1, scale(d, shift_right(small, 4), kIq2Scales));
    const V bits_above = fields<0, 2>(shift_right(above_byte[g / 4], 8 * (g % 4)));
    const __mmask64 above[] = {eighth_bits(index[g]), test<bits(1, 0)>(bits_above), test<bits(2, 0)>(bits_above)};
    put_iq2_32(out, g, lookup(kIq2SBytes, index[g], above), signs[g]);
  }
}

void decode_iq3_xxs(const uint8_t* blocks, uint8_t* record) {
  constexpr size_t kBytes = 98;
  const Record out{record};
  const __m512 d = load_d<kBytes>(blocks);
  V dwords[24];
  load_dwords<kBytes, 24>(blocks + 2, dwords);
  for (uint32_t g = 0; g < kRecord; g++) {
    fetch_eighth<kBytes>(blocks, g);
    const V *index = dwords + 2 * g, word = dwords[16 + g];
    out.scale_32(g, scale(d, shift_right(word, 28), kIq3XxsScales));
    const V signs = even_signs(fields<0, 7>(word));
    const __mmask64 above[] = {eighth_bits(index[0]), eighth_bits(index[1])};
    put_iq3<kIq3XxsTable, 0>(out, 8 * g, lookup(kIq3XxsBytes, index[0], above), signs);
    put_iq3<kIq3XxsTable, 2>(out, 8 * g + 4, lookup(kIq3XxsBytes, index[1], above + 1), signs);
  }
}

void decode_iq3_s(const uint8_t* blocks, uint8_t* record) {
  constexpr size_t kBytes = 110;
  const Record out{record};
  const __m512 d = load_d<kBytes>(blocks);
  V dwords[27];
  load_dwords<kBytes, 27>(blocks + 2, dwords);
  const V *above_byte = dwords + 16, *signs = above_byte + 2, *small = signs + 8;
  for (uint32_t g = 0; g < kRecord; g++) {
    fetch_eighth<kBytes>(blocks, g);
    const V* index = dwords + 2 * g;
    out.scale_32(g, scale(d, shift_right(*small, 4 * g), kIq3SScales));
    const V ninth = fields<0, 0>(shift_right(above_byte[g / 4], 8 * (g % 4)));
    const __mmask64 above[][2] = {{eighth_bits(index[0]), test<bits(1, 1)>(ninth)},
                                  {eighth_bits(index[1]), test<bits(16, 1)>(ninth)}};
    put_iq3<kIq3STable, 0>(out, 8 * g, lookup(kIq3SBytes, index[0], above[0]), signs[g]);
    put_iq3<kIq3STable, 2>(out, 8 * g + 4, lookup(kIq3SBytes, index[1], above[1]), signs[g]);
  }
}

// By four bits, of which IQ1's scale is the low three.
constexpr std::array<float, 16> kIq1ScalesTwice = [] {
  std::array<float, 16> table{};
  for (size_t i = 0; i < table.size(); i++) table[i] = kIq1Scales[i % kIq1Scales.size()];
  return table;
}();

void decode_iq1_s(const uint8_t* blocks, uint8_t* record) {
  constexpr size_t kBytes = 50;
  const Record out{record};
  const __m512 d = load_d<kBytes>(blocks);
  V dwords[12];
  load_dwords<kBytes, 12>(blocks + 2, dwords);
  for (uint32_t g = 0; g < kRecord; g++) {
    fetch_eighth<kBytes>(blocks, g);
    const V word = shift_right(dwords[8 + g / 2], 16 * (g % 2));
    out.scale_32(g, scale(d, shift_right(word, 12), kIq1ScalesTwice));
    put_iq1_32(out, g, dwords[g], fields<0, 3>(word), test<bits(128, 0)>(fields<8, 0>(word)));
  }
}

void decode_iq1_m(const uint8_t* blocks, uint8_t* record) {
  constexpr size_t kBytes = 56;
  const Record out{record};
  V dwords[14];
  load_dwords<kBytes, 14>(blocks, dwords);
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
    fetch_eighth<kBytes>(blocks, g);
    const V small = shift_right(words[g / 4], 16 * (g / 2 % 2) + 6 * (g % 2));
    out.scale(2 * g, scale(d, small, kIq1ScalesTwice));
    out.scale(2 * g + 1, scale(d, shift_right(small, 3), kIq1ScalesTwice));
    const V high = fields<0, 4>(shift_right(dwords[8 + g / 2], 16 * (g % 2)));
    put_iq1_32(out, g, dwords[g], high, test<bits(8, 0)>(high));
  }
}

}  // namespace
}  // namespace ingle::cpu
INGLE_TARGET_END

namespace ingle::cpu {

GroupDecoder vbmi_group_decoder(DType type) {
  static const bool usable = __builtin_cpu_supports("avx512vbmi");
  if (!usable) return nullptr;
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
