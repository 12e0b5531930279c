#include "backend/cpu/kernels/packed.h"

#include <algorithm>
#include <cstring>

#include "backend/cpu/kernels/activation_block.h"
#include "backend/cpu/kernels/codebooks.h"
#include "backend/cpu/kernels/isa_region.h"
#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/kernels/row_record.inl.h"
#include "base/check.h"
#include "tensor/int8_decode.h"

namespace ingle::cpu {
namespace {

// The bytes per element of byte i of a row's scales, and where its element begins.
struct ScaleField {
  size_t begin, size;
};
ScaleField scale_field(const BlockFormat& format, size_t i) {
  switch (format.scales) {
    case Scales::kHalf:
    case Scales::kHalfMin:
      return {i / 2 * 2, 2};
    case Scales::kExponent:
      return {i, 1};
    default:
      return i < format.d_offset() ? ScaleField{i, 1} : ScaleField{i / 2 * 2, 2};
  }
}

// Where byte i of the scales of `lane` lies in a record.
size_t scale_offset(const BlockFormat& format, size_t i, uint32_t lane, uint32_t lanes) {
  const ScaleField field = scale_field(format, i);
  return field.begin * lanes + lane * field.size + (i - field.begin);
}

// Row `lane` of a plane of kBits bits per code, kBits vectors of 4 * lanes bytes. Byte t of the row's part of vector v
// holds the codes 4 (v + kBits s) + t at bit kBits s: the row's bytes, taken together, are its codes folded over.
template <int kBits>
INGLE_INLINE void put_plane(const uint8_t* codes, int code_shift, uint8_t flip, uint32_t lane, uint32_t lanes,
                            uint8_t* out) {
  constexpr int kBytes = 4 * kBits;
  using Word = std::conditional_t<kBytes == 4, uint32_t, uint64_t>;
  constexpr auto kMask = static_cast<Word>(every_byte((1 << kBits) - 1));
  for (int p = 0; p < kBytes; p += sizeof(Word)) {
    Word word = 0;
    for (int s = 0; s < 8 / kBits; s++) {
      word |= (load<Word>(codes + p + kBytes * s) >> code_shift & kMask) << (kBits * s);
    }
    word ^= static_cast<Word>(every_byte(flip));
    for (size_t part = 0; part < sizeof(Word) / 4; part++) {
      const size_t vector = static_cast<size_t>(p) / 4 + part;
      std::memcpy(out + (vector * lanes + lane) * 4, reinterpret_cast<const uint8_t*>(&word) + 4 * part, 4);
    }
  }
}

int get_plane(const uint8_t* plane, uint32_t i, int bits, uint32_t lane, uint32_t lanes) {
  const uint32_t vectors = static_cast<uint32_t>(bits), k = i / 4;
  const uint8_t byte = plane[k % vectors * 4 * lanes + lane * 4 + i % 4];
  return byte >> (k / vectors * vectors) & ((1 << bits) - 1);
}

size_t plane_bytes(int bits, uint32_t lanes) { return static_cast<size_t>(bits) * kSubBlock / 8 * lanes; }

// The scales of a record of n sub-blocks, field by field.
template <size_t kSize>
size_t put_fields(const RowRecord* rows, size_t begin, size_t end, uint32_t lanes, uint8_t* out) {
  for (size_t at = begin; at < end; at += kSize) {
    for (uint32_t lane = 0; lane < lanes; lane++) {
      std::memcpy(out + at * lanes + lane * kSize, rows[lane].scales + at, kSize);
    }
  }
  return end;
}

void put_scales(const BlockFormat& format, const RowRecord* rows, uint32_t n, uint32_t lanes, uint8_t* out) {
  const size_t end = format.scale_bytes(n);
  for (size_t at = 0; at < end;) {
    const size_t size = scale_field(format, at).size;
    size_t same = at;
    while (same < end && scale_field(format, same).size == size) same += size;
    at = size == 1 ? put_fields<1>(rows, at, same, lanes, out) : put_fields<2>(rows, at, same, lanes, out);
  }
}

// A record of n sub-blocks of `lanes` rows.
template <BlockFormat kFormat>
void put_record(const RowRecord* rows, uint32_t n, PackTarget target, uint8_t* out) {
  // Adding the bias of 128 to a byte flips its highest bit.
  const auto flip = static_cast<uint8_t>(kFormat.low_bits == 8 ? target.signed_bias : 0);
  const size_t low_bytes = plane_bytes(kFormat.low_bits, target.lanes);
  for (uint32_t lane = 0; lane < target.lanes; lane++) {
    uint8_t* at = out + kFormat.codes_offset(n, target.lanes);
    for (uint32_t j = 0; j < n; j++, at += kFormat.code_bytes() * target.lanes) {
      const uint8_t* codes = rows[lane].codes + j * kSubBlock;
      put_plane<kFormat.low_bits>(codes, 0, flip, lane, target.lanes, at);
      if constexpr (kFormat.high_bits != 0) {
        put_plane<kFormat.high_bits>(codes, kFormat.low_bits, 0, lane, target.lanes, at + low_bytes);
      }
    }
  }
  put_scales(kFormat, rows, n, target.lanes, out);
}

// The inverse of put_record for one lane.
void get_record(const BlockFormat& format, const uint8_t* in, uint32_t n, uint32_t lane, PackTarget target,
                RowRecord& row) {
  const int bias = format.low_bits == 8 ? target.signed_bias : 0;
  const uint8_t* at = in + format.codes_offset(n, target.lanes);
  for (uint32_t j = 0; j < n; j++) {
    const uint8_t* high = at + plane_bytes(format.low_bits, target.lanes);
    for (uint32_t i = 0; i < kSubBlock; i++) {
      int code = get_plane(at, i, format.low_bits, lane, target.lanes) - bias;
      if (format.high_bits != 0) {
        code |= get_plane(high, i, format.high_bits, lane, target.lanes) << format.low_bits;
      }
      row.codes[j * kSubBlock + i] = static_cast<uint8_t>(code);
    }
    at += format.code_bytes() * target.lanes;
  }
  for (size_t i = 0; i < format.scale_bytes(n); i++) row.scales[i] = in[scale_offset(format, i, lane, target.lanes)];
}

struct ScaleMin {
  float scale, min;  // weight = scale * code + min, or - min (BlockFormat::is_super)
};

// Of 16 columns: chunk h of a record.
ScaleMin scale_min(const BlockFormat& format, const uint8_t* scales, uint32_t h) {
  const auto half = [scales](size_t at) { return half_to_float(load<uint16_t>(scales + at)); };
  const size_t d = format.d_offset();
  switch (format.scales) {
    case Scales::kHalf:
      return {half(h / 2 * 2), 0};
    case Scales::kHalfMin:
      return {half(h / 2 * 4), half(h / 2 * 4 + 2)};
    case Scales::kExponent: {
      const uint32_t e = scales[h / 2], bits = e < 2 ? 0x00200000u << e : (e - 1) << 23;
      return {load<float>(reinterpret_cast<const uint8_t*>(&bits)), 0};
    }
    case Scales::kSuper32:
      return {half(d) * static_cast<float>(static_cast<int8_t>(scales[h / 2])), 0};
    case Scales::kSuper32Min:
      return {half(d) * static_cast<float>(scales[h / 2]), half(d + 2) * static_cast<float>(scales[8 + h / 2])};
    case Scales::kSuperOnly:
      return {half(d), 0};
    case Scales::kSuper16:
      return {half(d) * static_cast<float>(static_cast<int8_t>(scales[h])), 0};
    case Scales::kSuper16SixBit: {
      const int s = (scales[h % 8] >> (h / 8 * 4) & 15) | (scales[8 + h % 4] >> (h / 4 * 2) & 3) << 4;
      return {half(d) * static_cast<float>(s - 32), 0};
    }
    case Scales::kSuper16Min:
      return {half(d) * static_cast<float>(scales[h] & 15), half(d + 2) * static_cast<float>(scales[h] >> 4)};
    case Scales::kFloat16:  // of types that lie unpacked
      break;
  }
  return {};
}

void dequantize_record(const BlockFormat& format, const RowRecord& row, uint32_t n, float* out) {
  for (uint32_t i = 0; i < n * kSubBlock; i++) {
    const ScaleMin s = scale_min(format, row.scales, i / 16);
    const int code = format.lookup != Lookup::kNone ? lookup_values(format.lookup)[row.codes[i]]
                     : format.low_bits == 8         ? static_cast<int8_t>(row.codes[i])
                                                    : row.codes[i] - format.zero_point;
    const float value = s.scale * static_cast<float>(code);
    out[i] = !format.has_min() ? value : format.is_super() ? value - s.min : value + s.min;
  }
}

// Rows of a source matrix: those of one group that exist, from one column on.
struct Source {
  const uint8_t* first;
  size_t row_bytes;
  uint32_t rows;

  const uint8_t* row(uint32_t index) const { return first + index * row_bytes; }
};

template <typename T>
void pack_floats(const Source& from, uint32_t cols, uint8_t* to) {
  if (from.rows < kGroupRows) std::memset(to, 0, size_t{cols} * kGroupRows * sizeof(T));
  for (uint32_t row = 0; row < from.rows; row++) {
    const uint8_t* in = from.row(row);
    uint8_t* out = to + row * sizeof(T);
    for (uint32_t i = 0; i < cols; i++)
      std::memcpy(out + size_t{i} * kGroupRows * sizeof(T), in + i * sizeof(T), sizeof(T));
  }
}

template <DType kType>
void pack_blocks(const Source& from, uint32_t cols, PackTarget target, uint8_t* to) {
  constexpr BlockFormat kFormat = *block_format(kType);
  const uint32_t blocks = cols / kSubBlock, block_bytes = dtype_info(kType).block_bytes;
  RowRecord records[kGroupRows];
  for (uint32_t strip = 0; strip < kGroupRows; strip += target.lanes) {
    for (uint32_t first = 0; first < blocks; first += kRecord) {
      const uint32_t n = std::min(kRecord, blocks - first);
      for (uint32_t lane = 0; lane < target.lanes; lane++) {
        if (strip + lane < from.rows) {
          read_row<kType>(from.row(strip + lane), block_bytes, first, n, records[lane]);
        } else {
          std::memset(&records[lane], 0, sizeof(RowRecord));
        }
      }
      put_record<kFormat>(records, n, target, to);
      to += kFormat.record_bytes(n, target.lanes);
    }
  }
}

using PackBlocks = void (*)(const Source& from, uint32_t cols, PackTarget target, uint8_t* to);

PackBlocks block_packer(DType type) {
  switch (type) {
    case DType::kQ4_0:
      return pack_blocks<DType::kQ4_0>;
    case DType::kQ4_1:
      return pack_blocks<DType::kQ4_1>;
    case DType::kQ5_0:
      return pack_blocks<DType::kQ5_0>;
    case DType::kQ5_1:
      return pack_blocks<DType::kQ5_1>;
    case DType::kQ8_0:
      return pack_blocks<DType::kQ8_0>;
    case DType::kQ2_K:
      return pack_blocks<DType::kQ2_K>;
    case DType::kQ3_K:
      return pack_blocks<DType::kQ3_K>;
    case DType::kQ4_K:
      return pack_blocks<DType::kQ4_K>;
    case DType::kQ5_K:
      return pack_blocks<DType::kQ5_K>;
    case DType::kQ6_K:
      return pack_blocks<DType::kQ6_K>;
    case DType::kIQ4_NL:
      return pack_blocks<DType::kIQ4_NL>;
    case DType::kIQ4_XS:
      return pack_blocks<DType::kIQ4_XS>;
    case DType::kMXFP4:
      return pack_blocks<DType::kMXFP4>;
    case DType::kTQ1_0:
      return pack_blocks<DType::kTQ1_0>;
    case DType::kTQ2_0:
      return pack_blocks<DType::kTQ2_0>;
    default:
      return nullptr;
  }
}

void unpack_blocks(const BlockFormat& format, const uint8_t* group, uint32_t row, uint32_t cols, PackTarget target,
                   float* out) {
  const uint32_t blocks = cols / kSubBlock;
  const uint8_t* at = group + row / target.lanes * format.strip_bytes(blocks, target.lanes);
  for (uint32_t first = 0; first < blocks; first += kRecord) {
    const uint32_t n = std::min(kRecord, blocks - first);
    RowRecord record;
    get_record(format, at, n, row % target.lanes, target, record);
    dequantize_record(format, record, n, out + size_t{first} * kSubBlock);
    at += format.record_bytes(n, target.lanes);
  }
}

size_t source_bytes(DType type, uint32_t cols) {
  const DTypeInfo& info = dtype_info(type);
  return size_t{cols} / info.block_values * info.block_bytes;
}

// The columns that slices are whole numbers of, and how many of these they hold at most: enough that few sums are set
// down between slices, yet about 10 KB of weights per group.
struct SliceUnit {
  uint32_t cols, most;
};
SliceUnit slice_unit(DType type) {
  constexpr size_t kBytes = 10 << 10;
  if (const BlockFormat* format = block_format(type)) {
    const size_t fit = kBytes / format->record_bytes(kRecord, kGroupRows);
    return {kSuper, static_cast<uint32_t>(std::min<size_t>(fit, 4))};
  }
  if (is_float_type(type)) return {16, 16};
  return {kSuper, 1};
}

uint32_t ceil_div(uint32_t a, uint32_t b) { return a / b + (a % b != 0); }

// Of all slices but the last, which may have fewer.
uint32_t slice_cols(DType type, uint32_t cols) {
  const SliceUnit unit = slice_unit(type);
  const uint32_t units = ceil_div(cols, unit.cols), slices = ceil_div(units, unit.most);
  return slices == 0 ? 0 : ceil_div(units, slices) * unit.cols;
}

size_t slice_group_bytes(DType type, uint32_t cols, PackTarget target) {
  if (const BlockFormat* format = block_format(type)) {
    return round_up(format->strip_bytes(cols / kSubBlock, target.lanes) * (kGroupRows / target.lanes), 64);
  }
  return source_bytes(type, cols) * kGroupRows;
}

bool has_matmul(DType type) { return is_float_type(type) || is_block_quantized(type); }

}  // namespace

bool is_float_type(DType type) { return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16; }

bool is_block_quantized(DType type) { return block_format(type) != nullptr || decodes_to_int8(type); }

size_t activation_bytes(DType type, uint32_t cols) {
  const size_t bytes =
      is_block_quantized(type) ? size_t{cols} / kSubBlock * sizeof(ActivationBlock) : size_t{cols} * sizeof(float);
  return round_up(bytes, 64);
}

uint32_t slice_count(DType type, uint32_t cols) { return cols == 0 ? 0 : ceil_div(cols, slice_cols(type, cols)); }

Slice slice_at(const PackedMatrix& matrix, uint32_t index, PackTarget target) {
  const uint32_t full = slice_cols(matrix.type, matrix.cols), first = index * full;
  const uint32_t cols = std::min(full, matrix.cols - first);
  return {.first_col = first,
          .cols = cols,
          .offset = index * slice_group_bytes(matrix.type, full, target) * matrix.groups(),
          .group_bytes = slice_group_bytes(matrix.type, cols, target)};
}

size_t packed_bytes(DType type, uint32_t rows, uint32_t cols, PackTarget target) {
  if (!has_matmul(type) || cols == 0) return 0;
  const PackedMatrix matrix{.type = type, .rows = rows, .cols = cols};
  const Slice last = slice_at(matrix, slice_count(type, cols) - 1, target);
  return round_up(last.offset + last.group_bytes * matrix.groups(), 64);
}

void pack_group(const PackedMatrix& to, uint32_t group, const void* src, size_t row_bytes, PackTarget target) {
  CHECK(has_matmul(to.type) && group < to.groups() && to.cols % dtype_info(to.type).block_values == 0);
  const uint32_t first_row = group * kGroupRows;
  // Packing reads sixteen rows by turns, in pieces too short for the CPU to foresee: fetch them in the order of memory.
  const auto* first = static_cast<const uint8_t*>(src) + first_row * row_bytes;
  const size_t bytes = (std::min(kGroupRows, to.rows - first_row) - 1) * row_bytes + source_bytes(to.type, to.cols);
  for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(first + i);
  for (uint32_t s = 0; s < slice_count(to.type, to.cols); s++) {
    const Slice slice = slice_at(to, s, target);
    const Source from{static_cast<const uint8_t*>(src) + first_row * row_bytes + source_bytes(to.type, slice.first_col),
                      row_bytes, std::min(kGroupRows, to.rows - first_row)};
    auto* out = reinterpret_cast<uint8_t*>(to.data) + slice.offset + group * slice.group_bytes;
    if (const PackBlocks pack_blocks = block_packer(to.type)) {
      pack_blocks(from, slice.cols, target, out);
    } else if (to.type == DType::kF32) {
      pack_floats<uint32_t>(from, slice.cols, out);
    } else if (is_float_type(to.type)) {
      pack_floats<uint16_t>(from, slice.cols, out);
    } else {
      const size_t row_size = source_bytes(to.type, slice.cols);
      for (uint32_t row = 0; row < from.rows; row++) std::memcpy(out + row * row_size, from.row(row), row_size);
      std::memset(out + from.rows * row_size, 0, (kGroupRows - from.rows) * row_size);
    }
  }
}

void unpack_row(const PackedMatrix& from, uint32_t row, float* out, PackTarget target) {
  CHECK(has_matmul(from.type) && row < from.rows);
  const uint32_t lane = row % kGroupRows;
  for (uint32_t s = 0; s < slice_count(from.type, from.cols); s++) {
    const Slice slice = slice_at(from, s, target);
    const auto* group =
        reinterpret_cast<const uint8_t*>(from.data) + slice.offset + row / kGroupRows * slice.group_bytes;
    if (const BlockFormat* format = block_format(from.type)) {
      unpack_blocks(*format, group, lane, slice.cols, target, out + slice.first_col);
    } else if (is_float_type(from.type)) {
      const size_t bytes = dtype_info(from.type).block_bytes;
      for (uint32_t i = 0; i < slice.cols; i++) {
        dequantize(from.type, group + (size_t{i} * kGroupRows + lane) * bytes, out + slice.first_col + i, 1);
      }
    } else {
      dequantize(from.type, group + lane * source_bytes(from.type, slice.cols), out + slice.first_col, slice.cols);
    }
  }
}

void decode_int8_records(DType type, const uint8_t* group, const uint8_t* ahead, void* records, PackTarget target) {
  if (const GroupDecoder decode_group = group_decoder(type, target)) {
    return decode_group(group, ahead, static_cast<uint8_t*>(records));
  }
  CHECK(target.lanes == 1 && target.signed_bias == 0);
  auto* record = static_cast<uint8_t*>(records);
  for (uint32_t row = 0; row < kGroupRows; row++, group += dtype_info(type).block_bytes) {
    auto* codes = reinterpret_cast<int8_t*>(record + kFormatInt8.codes_offset(kRecord, 1));
    decode_to_int8(type, group, codes, reinterpret_cast<float*>(record), kSuper);
    record += kFormatInt8.record_bytes(kRecord, 1);
  }
}

}  // namespace ingle::cpu
