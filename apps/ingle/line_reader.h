// Lines from the terminal with editing and history (libedit). One per process, main thread.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "terminal_signals.h"

namespace ingle {

class LineReader {
 public:
  enum class End { kLine, kInterrupted, kEndOfInput };
  struct Line {
    End end = End::kLine;
    std::string text;  // without the line's end
  };

  // History is read from the file and written back to it, for the user's eyes only; an empty path keeps none.
  LineReader(const std::filesystem::path& history_file, bool prompt_to_stdout, TerminalSignals& signals);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // kInterrupted: Ctrl-C, and what was typed is forgotten.
  Line read(const char* prompt);
  void remember(const std::string& line);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ingle
