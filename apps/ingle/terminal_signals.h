// The signals of an interactive session. Ctrl-C stops the answer that is being given and not the program; a terminal
// that was resized, or handed back after Ctrl-Z, is drawn again. While a TerminalSignals lives, each of the three only
// leaves a mark, wakes wait_for_key() and, for Ctrl-C, cancels the watched answer. At most one at a time, made and
// asked by the main thread.
#pragma once

#include <mutex>
#include <thread>

#include "engine/engine.h"

namespace ingle {

class TerminalSignals {
 public:
  TerminalSignals();
  ~TerminalSignals();  // Ctrl-C ends the program again
  TerminalSignals(const TerminalSignals&) = delete;
  TerminalSignals& operator=(const TerminalSignals&) = delete;

  enum class Event { kKey, kInterrupt, kRedraw };
  // Waits until the file can be read or a signal has come, however short a time before. What is told is told once.
  Event wait_for_key(int fd);

  // The stream is cancelled by Ctrl-C while this object lives, and by one that came since the last wait_for_key(). Such
  // a Ctrl-C is told by no later wait.
  class Watch {
   public:
    Watch(TerminalSignals& signals, TokenStream& stream);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    TerminalSignals& signals_;
  };

 private:
  void cancel_on_interrupt();

  std::mutex mutex_;
  TokenStream* stream_ = nullptr;  // guarded by mutex_
  int pipe_read_ = -1;
  std::thread watcher_;
};

}  // namespace ingle
