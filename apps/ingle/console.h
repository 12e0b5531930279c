// The command's two channels: results on stdout, and progress, notes and errors on stderr. One per process, main
// thread. A failed write to stdout (full disk, closed pipe) is remembered and ends the command with code 1.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ingle {

class Console {
 public:
  Console();
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  // Results, buffered until flush() or the end.
  void write(std::string_view text);
  // Text of a model: on a terminal, control characters other than newline and tab are shown instead of sent, since a
  // model could be made to write the terminal's commands.
  void write_model_text(std::string_view text);
  // Sends the buffer. After the first failure nothing is written any more and every call gives that error.
  Status flush();
  bool failed() const { return failed_ != 0; }
  // The reader of stdout has gone (`| head`): the reason to stop, but nothing to complain about.
  bool reader_gone() const;

  // A line on stderr.
  void note(std::string_view line);
  void error(const Error& error);
  // What is being done and how much of it, redrawn in place; nothing where stderr is no terminal.
  void progress(std::string_view what, double fraction);
  void end_progress();

  bool stdout_is_terminal() const { return stdout_is_terminal_; }

 private:
  std::string buffer_;
  int failed_ = 0;  // errno of the first failed write
  const bool stdout_is_terminal_, stderr_is_terminal_;
  bool progress_shown_ = false;
  std::chrono::steady_clock::time_point last_progress_{};
};

// The text with control characters as \xNN (newline and tab kept if `keep_layout`), so that it stays on its line and
// sends a terminal no commands.
std::string printable(std::string_view text, bool keep_layout);

}  // namespace ingle
