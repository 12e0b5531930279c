// Which threads have the machine where not all can.
#pragma once

namespace ingle {

// From now on the calling thread gets less of a core than another that wants it too: on Linux about half as much.
void lower_this_threads_priority();

}  // namespace ingle
