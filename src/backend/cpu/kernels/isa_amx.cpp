// The matmul for x86-64 with AMX-INT8; all else is as in the table for AVX-512.
#if defined(__x86_64__)

#include "backend/cpu/kernels/vec_amx.h"
// (first: it says for what the others are compiled)
#include "backend/cpu/kernels/amx_tile.inl.h"
#include "backend/cpu/kernels/tables.h"

namespace ingle::cpu {
namespace {

using Widest = AmxTile<kFormatQ6_K>;  // which has a sum per 16 columns
constexpr size_t kScratchBytes = sizeof(Widest::Scratch);

// With fewer columns, vectors are as fast or faster (benchmarks/matmul_bench): tiles are filled for 16 columns.
constexpr uint32_t kLeastColumns = 32;

template <BlockFormat kFormat>
void run(const AmxCall& call, void* scratch) {
  static_assert(sizeof(typename AmxTile<kFormat>::Scratch) <= kScratchBytes);
  AmxTile<kFormat>::matmul(call, *static_cast<typename AmxTile<kFormat>::Scratch*>(scratch));
}

void matmul(const PackedMatrix& w, uint32_t first_group, uint32_t group_count, const void* x, size_t x_stride_bytes,
            uint32_t columns, float* out, size_t out_stride, void* scratch) {
  const auto by_vectors = [&] {
    kAvx512Table.matmul(w, first_group, group_count, x, x_stride_bytes, columns, out, out_stride, scratch);
  };
  if (columns < kLeastColumns) return by_vectors();
  CHECK(first_group + group_count <= w.groups());
  const AmxCall call{w,       first_group, group_count, static_cast<const std::byte*>(x), x_stride_bytes,
                     columns, out,         out_stride};
  switch (w.type) {
    case DType::kQ4_0:
      return run<kFormatQ4_0>(call, scratch);
    case DType::kQ4_1:
      return run<kFormatQ4_1>(call, scratch);
    case DType::kQ5_0:
      return run<kFormatQ5_0>(call, scratch);
    case DType::kQ5_1:
      return run<kFormatQ5_1>(call, scratch);
    case DType::kQ8_0:
      return run<kFormatQ8_0>(call, scratch);
    case DType::kQ2_K:
      return run<kFormatQ2_K>(call, scratch);
    case DType::kQ3_K:
      return run<kFormatQ3_K>(call, scratch);
    case DType::kQ4_K:
      return run<kFormatQ4_K>(call, scratch);
    case DType::kQ5_K:
      return run<kFormatQ5_K>(call, scratch);
    case DType::kQ6_K:
      return run<kFormatQ6_K>(call, scratch);
    case DType::kIQ4_NL:
      return run<kFormatIQ4_NL>(call, scratch);
    case DType::kIQ4_XS:
      return run<kFormatIQ4_XS>(call, scratch);
    case DType::kMXFP4:
      return run<kFormatMXFP4>(call, scratch);
    case DType::kTQ1_0:
    case DType::kTQ2_0:
      return run<kFormatTernary>(call, scratch);
    default:
      return by_vectors();
  }
}

}  // namespace

KernelTable amx_table() {
  KernelTable table = kAvx512Table;
  CHECK(table.matmul_scratch_bytes <= kScratchBytes);  // its matmul takes what has few columns
  table.name = "amx";
  table.matmul = matmul;
  table.matmul_scratch_bytes = kScratchBytes;
  table.column_block = Widest::kBlockColumns;
  return table;
}

}  // namespace ingle::cpu

#endif
