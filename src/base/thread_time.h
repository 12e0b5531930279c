// How long a thread has computed, for others that watch it: what takes long on a busy machine need not be long work.
#pragma once

#include <chrono>
#include <ctime>

namespace ingle {

class ThreadTime {
 public:
  // Of the calling thread, from now on.
  ThreadTime();

  // While that thread runs; from any thread. By the clock on the wall where the system does not tell.
  std::chrono::nanoseconds used() const { return now() - begin_; }

 private:
  std::chrono::nanoseconds now() const;

#ifdef __linux__
  clockid_t clock_{};
#endif
  std::chrono::nanoseconds begin_;
};

}  // namespace ingle
