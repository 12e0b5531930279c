// How many of many threads work at the same time: each has a permit while it does, and lends it to another one while it
// waits for something else, so that those who wait keep nobody from working.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace ingle {

class Permits {
 public:
  explicit Permits(uint32_t count) : free_(count) {}
  Permits(const Permits&) = delete;
  Permits& operator=(const Permits&) = delete;

  // Waits for a permit, which is the calling thread's as long as this lives. A thread has one at most.
  class Work {
   public:
    explicit Work(Permits& permits);
    ~Work();
    Work(const Work&) = delete;
    Work& operator=(const Work&) = delete;

   private:
    Permits& permits_;
  };

  // The calling thread's permit, if it has one, is others' as long as this lives; its end waits for one. To be made
  // before any lock is taken that others take who have a permit.
  class Lent {
   public:
    Lent();
    ~Lent();
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;

   private:
    Permits* const permits_;
  };

 private:
  void take();
  void give();

  std::mutex mutex_;
  std::condition_variable given_;
  uint32_t free_;
};

}  // namespace ingle
