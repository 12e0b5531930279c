// The part of Codebooks' Ops that is the same wherever entries are loaded one by one (tensor/codebook_entries.h), on
// top of a Base with V and
//   field           one byte of fields; byte_of_lanes: byte c of each lane in all four of it
//   indices         four of each row, taken together from two vectors of bytes [row][4], with their places
//   eights          the entries that are code c of each row: their first dwords in a vector, the others in another
//   four            the entries of four elements that are code q of each row
//   negated         where a byte of the other has a bit, kFirstBit and those above it by turns; add; put
// Included after the Base and INGLE_REGION_BEGIN.
#pragma once

#include <cstdint>

#include "backend/cpu/kernels/isa_region.h"
#include "tensor/codebook_entries.h"
#include "tensor/codebooks.h"

INGLE_REGION_BEGIN
namespace ingle::cpu {
namespace {

template <class Base>
struct EntryLookups : Base {
  using V = typename Base::V;
  using Indices = typename Base::Indices;

  template <int kFirst, int kStep>
  static INGLE_INLINE V fields(V lanes) {
    if constexpr (kStep == 0 && kFirst % 8 == 0) {
      return Base::template byte_of_lanes<kFirst / 8>(lanes);
    } else {
      const V low =
          Base::bit_or(Base::template field<kFirst, 0>(lanes), Base::template field<kFirst + kStep, 1>(lanes));
      return Base::bit_or(low, Base::bit_or(Base::template field<kFirst + 2 * kStep, 2>(lanes),
                                            Base::template field<kFirst + 3 * kStep, 3>(lanes)));
    }
  }

  template <const auto& kGrid>
  static INGLE_INLINE void put_iq2(uint8_t* codes, V index, V high, V signs) {
    const Indices all = Base::template indices<kGrid>(index, high);
    const uint64_t* table = kEights<kGrid, kIq2Levels>.data();
    put_iq2_entry<0>(codes, table, all, signs);
    put_iq2_entry<1>(codes, table, all, signs);
    put_iq2_entry<2>(codes, table, all, signs);
    put_iq2_entry<3>(codes, table, all, signs);
  }
  static INGLE_INLINE void put_iq1(uint8_t* codes, V index, V high, V deltas) {
    const Indices all = Base::template indices<kIq1Grid>(index, high);
    const uint64_t* table = kEights<kIq1Grid, kIq1Levels, 128>.data();
    put_iq1_entry<0>(codes, table, all, deltas);
    put_iq1_entry<1>(codes, table, all, deltas);
    put_iq1_entry<2>(codes, table, all, deltas);
    put_iq1_entry<3>(codes, table, all, deltas);
  }
  // Signs are bytes c and c + 1 of each lane.
  template <const auto& kGrid, const auto& kLevels, int c>
  static INGLE_INLINE void put_iq3(uint8_t* codes, V index, V high, V signs) {
    const Indices all = Base::template indices<kGrid>(index, high);
    const uint32_t* table = kFours<kGrid, kLevels>.data();
    put_iq3_entry<0, c>(codes, table, all, signs);
    put_iq3_entry<1, c>(codes, table, all, signs);
    put_iq3_entry<2, c + 1>(codes, table, all, signs);
    put_iq3_entry<3, c + 1>(codes, table, all, signs);
  }

 private:
  template <int c>
  static INGLE_INLINE void put_iq2_entry(uint8_t* codes, const uint64_t* table, const Indices& index, V signs) {
    const auto values = Base::template eights<c>(table, index);
    const V of_eight = fields<8 * c, 0>(signs);
    Base::put(codes, 2 * c, Base::template negated<1>(values.low, of_eight));
    Base::put(codes, 2 * c + 1, Base::template negated<16>(values.high, of_eight));
  }
  template <int c>
  static INGLE_INLINE void put_iq1_entry(uint8_t* codes, const uint64_t* table, const Indices& index, V deltas) {
    const auto values = Base::template eights<c>(table, index);
    const V both = fields<8 * c, 0>(deltas);
    Base::put(codes, 2 * c, Base::add(values.low, both));
    Base::put(codes, 2 * c + 1, Base::add(values.high, both));
  }
  template <int q, int kSignByte>
  static INGLE_INLINE void put_iq3_entry(uint8_t* codes, const uint32_t* table, const Indices& index, V signs) {
    constexpr int kFirstBit = q % 2 == 0 ? 1 : 16;
    const V values = Base::template four<q>(table, index);
    Base::put(codes, q, Base::template negated<kFirstBit>(values, fields<8 * kSignByte, 0>(signs)));
  }
};

}  // namespace
}  // namespace ingle::cpu
INGLE_REGION_END
