#include "base/thread_time.h"

#include "base/check.h"

#ifdef __linux__
#include <pthread.h>
#endif

namespace ingle {

#ifdef __linux__
ThreadTime::ThreadTime() {
  CHECK(::pthread_getcpuclockid(::pthread_self(), &clock_) == 0);
  begin_ = now();
}

std::chrono::nanoseconds ThreadTime::now() const {
  timespec time{};
  ::clock_gettime(clock_, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}
#else
ThreadTime::ThreadTime() : begin_(now()) {}

std::chrono::nanoseconds ThreadTime::now() const { return std::chrono::steady_clock::now().time_since_epoch(); }
#endif

}  // namespace ingle
