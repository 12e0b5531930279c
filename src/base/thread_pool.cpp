#include "base/thread_pool.h"

#include <cfenv>

#include "base/thread_name.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ingle {
namespace {

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// A step's next op begins within microseconds, the next step may take long: spin for the first, sleep for the second.
constexpr int kSpins = 4000;

// Waits until `value` differs from `old`.
void wait_for_change(const std::atomic<uint32_t>& value, uint32_t old) {
  for (int i = 0; i < kSpins; i++) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

}  // namespace

void set_default_float_environment() {
  std::fesetround(FE_TONEAREST);
#if defined(__x86_64__)
  constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
  _mm_setcsr(_mm_getcsr() & ~(kFlushToZero | kDenormalsAreZero));
#elif defined(__aarch64__)
  constexpr uint64_t kFlushToZero = uint64_t{1} << 24;
  uint64_t fpcr;
  asm volatile("mrs %0, fpcr" : "=r"(fpcr));
  asm volatile("msr fpcr, %0" : : "r"(fpcr & ~kFlushToZero));
#endif
}

void Barrier::wait() {
  const uint32_t generation = generation_.load(std::memory_order_relaxed);
  if (remaining_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    remaining_.store(threads_, std::memory_order_relaxed);
    generation_.store(generation + 1, std::memory_order_release);
    generation_.notify_all();
    return;
  }
  wait_for_change(generation_, generation);
}

ThreadPool::ThreadPool(uint32_t threads) : barrier_(threads) {
  for (uint32_t thread = 1; thread < threads; thread++) workers_.emplace_back([this, thread] { loop(thread); });
}

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_relaxed);
  started_.fetch_add(1, std::memory_order_release);
  started_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::run(const std::function<void(uint32_t thread)>& work) {
  set_default_float_environment();
  work_ = &work;
  finished_.store(0, std::memory_order_relaxed);
  started_.fetch_add(1, std::memory_order_release);
  started_.notify_all();
  work(0);
  const auto workers = static_cast<uint32_t>(workers_.size());
  for (uint32_t done = finished_.load(std::memory_order_acquire); done != workers;
       done = finished_.load(std::memory_order_acquire)) {
    wait_for_change(finished_, done);
  }
}

void ThreadPool::loop(uint32_t thread) {
  name_this_thread("ingle-compute");
  set_default_float_environment();
  for (uint32_t generation = 0;; generation++) {
    wait_for_change(started_, generation);
    if (stop_.load(std::memory_order_relaxed)) return;
    (*work_)(thread);
    finished_.fetch_add(1, std::memory_order_release);
    finished_.notify_one();
  }
}

}  // namespace ingle
