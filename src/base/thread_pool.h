// A fixed set of threads that run one function together, and the barrier they meet at. Owned by a backend; the thread
// that calls run() is thread 0. Waiting spins for some microseconds and then sleeps, so that more threads than cores
// still work. Every thread computes with the default IEEE environment: round to nearest, no flush to zero.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace ingle {

class Barrier {
 public:
  explicit Barrier(uint32_t threads) : threads_(threads), remaining_(threads) {}
  // Returns once all threads have called it; what they wrote before is visible after.
  void wait();

 private:
  const uint32_t threads_;
  alignas(64) std::atomic<uint32_t> remaining_;
  alignas(64) std::atomic<uint32_t> generation_{0};
};

class ThreadPool {
 public:
  explicit ThreadPool(uint32_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  uint32_t size() const { return static_cast<uint32_t>(workers_.size()) + 1; }
  // Calls work(thread) on every thread, 0 being the caller, and returns when all are done.
  void run(const std::function<void(uint32_t thread)>& work);
  // For work(thread) bodies: meets all threads of the pool.
  void barrier() { barrier_.wait(); }

 private:
  void loop(uint32_t thread);

  Barrier barrier_;
  std::vector<std::thread> workers_;
  const std::function<void(uint32_t)>* work_ = nullptr;
  alignas(64) std::atomic<uint32_t> started_{0};  // generation of run(); workers wait for it to change
  alignas(64) std::atomic<uint32_t> finished_{0};
  std::atomic<bool> stop_{false};
};

// Turns flush-to-zero and denormals-are-zero off and sets round to nearest on the calling thread.
void set_default_float_environment();

}  // namespace ingle
