// The CPU kernels behind one table per instruction set. Every table gives the bits of the scalar one
// (docs/numerics.md). Called by the executor from pool threads; the functions hold no state, never allocate and split
// outputs only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "kv/kv_types.h"
#include "tensor/dtype.h"

namespace ingle::cpu {

// 32 activations of one column, quantised for weights of block types (activation_block.h says how).
struct ActivationBlock;

enum class Activation : uint8_t { kSilu, kGeluTanh, kGeluErf };

inline constexpr uint32_t kGroupRows = 16;  // output rows of a packed group
inline constexpr uint32_t kPieceTokens =
    256;  // attention pieces begin at absolute positions that are multiples of this

// Where the keys and values of one layer lie inside a page of one layer. K is transposed so that lane = token:
//   K [kv_heads][head_dim][kPageTokens], V [kv_heads][kPageTokens][head_dim], elements f32, f16 or int8.
// q8_0 adds one f16 scale per token and chunk of 32 channels (the last chunk may be short), behind the int8 data of
// its head: K scales [chunks][kPageTokens], V scales [kPageTokens][chunks].
struct KvLayout {
  KvType type = KvType::kF16;
  uint32_t kv_heads = 0;
  uint32_t head_dim = 0;

  uint32_t chunks() const { return (head_dim + 31) / 32; }
  // Bytes of one head's keys (values take as many), a multiple of 64.
  size_t head_bytes() const;
  // Bytes of one layer's page: the keys of all heads, then the values of all heads.
  size_t page_bytes() const { return 2 * size_t{kv_heads} * head_bytes(); }
};

// A run of a layer's KV heads.
struct KvHeads {
  uint32_t first = 0, count = 0;
};

// Queries of one sequence that share the pages of one KV head: `queries` rows q[i] of head_dim floats.
struct AttentionTile {
  KvLayout layout;
  const std::byte* const* pages = nullptr;  // pages[j] holds the layer's tokens [32 j, 32 j + 32) of the sequence
  uint32_t kv_head = 0;
  uint32_t queries = 0;                 // 1..kMaxTileQueries
  const float* const* q = nullptr;      // [queries][head_dim], already rotated
  const uint32_t* positions = nullptr;  // [queries]; a query sees keys at positions <= its own (not causal: the last's)
  uint32_t window = 0;                  // 0: all; else only the keys with position > own position - window
  float scale = 1;                      // scores are scale * q.k
  float softcap = 0;                    // 0: none; else scores are softcap * tanh(score / softcap)
};
inline constexpr uint32_t kMaxTileQueries = 32;  // best in multiples of 8
inline constexpr uint32_t kMaxHeadDim = 512;     // the executor refuses models beyond it

// The unnormalised result of one query over keys seen so far: maximum, denominator, and sum of p.v [head_dim].
struct AttentionPartial {
  float max = 0;
  float denominator = 0;
  float* values = nullptr;
  bool empty = true;  // saw no key yet
};

// Whether kernels for few columns, which read weights as fast as memory gives them, ask for them ahead of their use,
// into which cache, or leave that to the hardware.
enum class FetchAhead : uint8_t { kNever, kIntoL2, kIntoL1 };

// How tiles walk the weights. It changes no bit; what is fastest depends on the machine (tiling.h).
struct Tiling {
  FetchAhead fetch_ahead = FetchAhead::kNever;
  // Tiles are 1, 2, 4 or 8 columns wide: the sum of those widths that take several strips of rows at once, where the
  // table has such tiles.
  uint32_t several_strips = 1 | 2 | 4 | 8;
};

// A weight matrix as pack_group leaves it: packed_bytes(type, rows, cols) bytes on a 64-byte boundary, which belong to
// the caller. Its rows are in groups of kGroupRows; rows past the end are zero weights. How it lies in memory is the
// table's own affair.
struct PackedMatrix {
  DType type = DType::kF32;
  uint32_t rows = 0, cols = 0;  // cols is a multiple of the type's block
  std::byte* data = nullptr;
  Tiling tiling = {};

  uint32_t groups() const { return (rows + kGroupRows - 1) / kGroupRows; }
};

struct KernelTable {
  std::string_view name;  // as INGLE_ISA and --isa name it

  // ---- Matmul.
  // A multiple of 64; 0 for types without a matmul (integers, F64, Q8_1, Q8_K).
  size_t (*packed_bytes)(DType type, uint32_t rows, uint32_t cols);
  // Packs the rows of group `group` of the matrix whose rows lie at src, row_bytes apart, at any alignment.
  void (*pack_group)(const PackedMatrix& to, uint32_t group, const void* src, size_t row_bytes);
  // A dequantised row: the embedding lookup. Equals dequantize() of the source row.
  void (*unpack_row)(const PackedMatrix& from, uint32_t row, float* out);
  // One column's activations as int8 blocks: x [cols] -> out [cols / 32]. cols is a multiple of 32.
  void (*quantize)(const float* x, uint32_t cols, ActivationBlock* out);
  // `group_count` groups of w times `columns` columns: out[c * out_stride + r] for each of their group_count *
  // kGroupRows rows r, counted from the first (out is padded or a scratch). About 16 groups per call run fastest: they
  // lie together in memory. x: ActivationBlock [columns][cols / 32] for block-quantised types, float [columns][cols]
  // for F32, F16 and BF16, x_stride_bytes apart. scratch: matmul_scratch_bytes of this thread, 64-byte aligned.
  void (*matmul)(const PackedMatrix& w, uint32_t first_group, uint32_t group_count, const void* x,
                 size_t x_stride_bytes, uint32_t columns, float* out, size_t out_stride, void* scratch);
  size_t matmul_scratch_bytes;
  // Columns of activations that a thread keeps in its L2 cache while weights stream by: best in one call.
  uint32_t column_block;

  // ---- Elementwise. In-place is allowed where an input and the output have the same type.
  // out[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i]; the sum is 16 strided partial sums folded in a fixed tree.
  void (*rms_norm)(const float* x, const float* weight, float eps, uint32_t n, float* out);
  // out[i] = (x[i] - mean) / sqrt(variance + eps) * weight[i] + bias[i]; both sums are strided partial sums.
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float eps, uint32_t n, float* out);
  void (*add)(const float* a, const float* b, uint32_t n, float* out);
  void (*scale)(const float* x, float factor, uint32_t n, float* out);
  void (*gated)(Activation activation, const float* gate, const float* up, uint32_t n, float* out);  // act(gate) * up
  void (*activate)(Activation activation, const float* x, uint32_t n, float* out);                   // act(x)
  void (*softcap)(const float* x, float cap, uint32_t n, float* out);  // cap * tanh(x / cap)
  // Rotates the first 2 * pairs of head_dim channels of each head. cos, sin [pairs].
  // interleaved: pairs are (2i, 2i + 1), as GGUF's llama files are; else (i, i + pairs).
  void (*rope)(const float* x, const float* cos, const float* sin, uint32_t heads, uint32_t head_dim, uint32_t pairs,
               bool interleaved, float* out);
  // exp, as attention and the sampler use it: sum over i of exp(x[i] - max), 16 strided partial sums; out (may be null)
  // gets the exponentials.
  float (*exp_sum)(const float* x, float max, uint32_t n, float* out);
  float (*max)(const float* x, uint32_t n);  // exact; NaN if any value is NaN
  bool (*all_finite)(const float* x, uint32_t n);

  // ---- KV memory and attention.
  // Write one token's keys or values of some heads (k, v [heads.count][head_dim]) into its slot (0..31) of a page.
  void (*store_keys)(const KvLayout& layout, std::byte* page, uint32_t slot, KvHeads heads, const float* k);
  void (*store_values)(const KvLayout& layout, std::byte* page, uint32_t slot, KvHeads heads, const float* v);
  // The partials of piece `piece` (keys [256 piece, 256 piece + 256) that each query sees), one per query.
  // scratch: kAttentionScratchBytes of this thread, 64-byte aligned.
  void (*attention_piece)(const AttentionTile& tile, uint32_t piece, AttentionPartial* partials, void* scratch);
  // into = into merged with the partial of the next piece to the right. head_dim values each.
  void (*attention_merge)(AttentionPartial& into, const AttentionPartial& next, uint32_t head_dim);
  // out[i] = partial.values[i] / denominator.
  void (*attention_finish)(const AttentionPartial& partial, uint32_t head_dim, float* out);
};
inline constexpr size_t kAttentionScratchBytes = 192 * 1024;

bool is_block_quantized(DType type);                 // takes ActivationBlocks; else floats
size_t activation_bytes(DType type, uint32_t cols);  // of one column, as matmul reads it; a multiple of 64

// The tables this build holds and this CPU can run, best first; the last is "scalar".
std::span<const KernelTable* const> available_tables();
// The table of that name, the best for an empty name, or null. Names: scalar, avx2, avxvnni,
// avx512vl, avx512, amx, neon, i8mm.
const KernelTable* find_table(std::string_view name);

}  // namespace ingle::cpu
