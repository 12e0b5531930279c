// Whether kernels for few columns, which read weights as fast as memory gives them, should ask for them ahead of their
// use or leave that to the hardware. No rule tells: on one virtual machine (Sapphire Rapids) asking made them 1.5 times
// as fast, on another (Zen 4) slower. It changes no bit.
#pragma once

#include "backend/cpu/kernels/kernels.h"
#include "base/thread_pool.h"

namespace ingle::cpu {

// By measuring both ways over parts of the matrix, which takes about 20 ms of all threads of the pool. False for a
// matrix too small to tell: such weights stay in caches.
bool fetching_ahead_pays(const KernelTable& table, PackedMatrix matrix, ThreadPool& pool);

}  // namespace ingle::cpu
