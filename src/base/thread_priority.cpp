#include "base/thread_priority.h"

#if defined(__APPLE__)
#include <pthread.h>
#elif defined(__linux__)
#include <sys/resource.h>
#endif

namespace ingle {

void lower_this_threads_priority() {
#if defined(__APPLE__)
  ::pthread_set_qos_class_self_np(QOS_CLASS_UTILITY, 0);
#elif defined(__linux__)
  // Linux takes "this process" for this thread. Each step of niceness is a factor of 1.25.
  constexpr int kSteps = 3;
  ::setpriority(PRIO_PROCESS, 0, ::getpriority(PRIO_PROCESS, 0) + kSteps);
#endif
}

}  // namespace ingle
