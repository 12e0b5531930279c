// Which tiles multiply fastest on this machine. No rule tells: asking for weights ahead made few columns 1.5 times as
// fast on one virtual machine (Sapphire Rapids), a tenth faster if into the first-level cache on a second (Ice Lake),
// and slower on a third (Zen 4); several strips at once made up to 1.4 times on the first two, and 0.6 to 0.9 on the
// third.
#pragma once

#include <span>

#include "backend/cpu/kernels/kernels.h"
#include "base/thread_pool.h"

namespace ingle::cpu {

// By measuring all ways over parts of the matrices, which have one type and shape. It takes some tens of ms of all
// threads of the pool. The default where they are too small to tell.
Tiling best_tiling(const KernelTable& table, std::span<const PackedMatrix> alike, ThreadPool& pool);

}  // namespace ingle::cpu
