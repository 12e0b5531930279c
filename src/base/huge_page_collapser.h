// Moves memory in use into huge pages, on a thread that takes only time nobody else wants: weights then cost fewer TLB
// misses. Asking for huge pages before the first touch would be simpler, but on a virtual machine that gives its free
// memory back to the host, large blocks are what it gave back: filling 1 GiB took 1.6 s, by small pages 0.3 s.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>

namespace ingle {

class HugePageCollapser {
 public:
  // Whether this system collapses pages on demand (Linux 6.1).
  static bool available();

  // Starts a while later, when a first answer is likely to be out. The memory must outlive this; it may be read and
  // written all the while, and keeps its addresses and values.
  HugePageCollapser(std::byte* data, size_t bytes);
  ~HugePageCollapser();  // leaves what is not moved yet as it is
  HugePageCollapser(const HugePageCollapser&) = delete;
  HugePageCollapser& operator=(const HugePageCollapser&) = delete;

  // Starts now, and waits until all is moved that the system can move.
  void wait();

 private:
  void collapse(std::byte* data, size_t bytes);

  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  bool start_ = false, stop_ = false, done_ = false;

  std::thread thread_;
};

}  // namespace ingle
