// Ctrl-C in an interactive session: it stops the answer that is being given and not the program. While an Interrupts
// lives, SIGINT only sets a mark, wakes a read of the terminal (which fails with EINTR) and cancels the watched answer.
// At most one at a time, made and asked by the main thread.
#pragma once

#include <mutex>
#include <thread>

#include "engine/engine.h"

namespace ingle {

class Interrupts {
 public:
  Interrupts();
  ~Interrupts();  // Ctrl-C ends the program again
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Was there a Ctrl-C since the last call?
  bool take();

  // The stream is cancelled by Ctrl-C while this object lives.
  class Watch {
   public:
    Watch(Interrupts& interrupts, TokenStream& stream);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    Interrupts& interrupts_;
  };

 private:
  void cancel_on_interrupt();

  std::mutex mutex_;
  TokenStream* stream_ = nullptr;  // guarded by mutex_
  int pipe_read_ = -1;
  std::thread watcher_;
};

}  // namespace ingle
