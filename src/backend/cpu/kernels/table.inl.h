// The KernelTable of one instruction set from its templates. Included by isa_*.cpp after their vec_*.h.
#pragma once

#include "backend/cpu/kernels/attention.inl.h"
#include "backend/cpu/kernels/elementwise.inl.h"
#include "backend/cpu/kernels/matmul.inl.h"
#include "backend/cpu/kernels/tables.h"

namespace ingle::cpu {

template <class Isa>
consteval KernelTable make_table(std::string_view name) {
  using Matmul = MatmulKernels<Isa>;
  using Rows = Elementwise<Isa>;
  using Heads = AttentionKernels<Isa>;
  return {.name = name,
          .packed_bytes = Matmul::packed_bytes,
          .pack_group = Matmul::pack_group,
          .unpack_row = Matmul::unpack_row,
          .quantize = Matmul::quantize,
          .matmul = Matmul::matmul,
          .matmul_scratch_bytes = Matmul::kScratchBytes,
          .column_block = Matmul::kColumnBlock,
          .rms_norm = Rows::rms_norm,
          .layer_norm = Rows::layer_norm,
          .add = Rows::add,
          .scale = Rows::scale,
          .gated = Rows::gated,
          .activate = Rows::activate,
          .softcap = Rows::softcap,
          .rope = Rows::rope,
          .exp_sum = Rows::exp_sum,
          .max = Rows::max,
          .all_finite = Rows::all_finite,
          .store_keys = Heads::store_keys,
          .store_values = Heads::store_values,
          .attention_piece = Heads::attention_piece,
          .attention_merge = Heads::attention_merge,
          .attention_finish = Heads::attention_finish};
}

// Another table of as many lanes, but for the matmul and the packing for it.
template <class Isa>
KernelTable with_matmul_of(std::string_view name, KernelTable table) {
  using Matmul = MatmulKernels<Isa>;
  table.name = name;
  table.packed_bytes = Matmul::packed_bytes;
  table.pack_group = Matmul::pack_group;
  table.unpack_row = Matmul::unpack_row;
  table.matmul = Matmul::matmul;
  table.matmul_scratch_bytes = Matmul::kScratchBytes;
  table.column_block = Matmul::kColumnBlock;
  return table;
}

}  // namespace ingle::cpu
