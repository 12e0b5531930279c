// How kernels for few columns best ask for weights ahead of their use, if at all. No rule tells: on one virtual machine
// (Sapphire Rapids) asking made them 1.5 times as fast, on another (Zen 4) slower, on a third (Ice Lake) a tenth faster
// if into the first-level cache.
#pragma once

#include "backend/cpu/kernels/kernels.h"
#include "base/thread_pool.h"

namespace ingle::cpu {

// By measuring all ways over parts of the matrix, which takes about 20 ms of all threads of the pool. Never, for a
// matrix too small to tell: such weights stay in caches.
FetchAhead best_fetch_ahead(const KernelTable& table, PackedMatrix matrix, ThreadPool& pool);

}  // namespace ingle::cpu
