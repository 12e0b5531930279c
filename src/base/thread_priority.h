// Which threads have the machine where not all can.
#pragma once

namespace ingle {

// From now on the calling thread gets about a quarter of the time that one of the others gets, where both want a core.
void lower_this_threads_priority();

}  // namespace ingle
