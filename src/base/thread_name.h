// Names of threads, by which `top -H` and benchmarks/compare_servers.py tell what takes the time of a process.
#pragma once

namespace ingle {

// Of the calling thread, from now on; Linux keeps 15 characters. Threads without a name have that of the process.
void name_this_thread(const char* name);

}  // namespace ingle
