#include "line_reader.h"

#include <histedit.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cwchar>

namespace ingle {
namespace {
constexpr int kHistoryLines = 1000;
}  // namespace

class LineReader::Impl {
 public:
  Impl(std::filesystem::path history_file, FILE* out, TerminalSignals& signals)
      : history_file_(std::move(history_file)), signals_(signals) {
    // libedit takes characters, not bytes: without a locale that has them, what is typed beyond ASCII would be lost.
    if (std::setlocale(LC_CTYPE, "") == nullptr || MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
    edit_ = ::el_init("ingle", stdin, out, stderr);
    ::el_set(edit_, EL_CLIENTDATA, this);
    ::el_set(edit_, EL_PROMPT, &Impl::prompt);
    ::el_set(edit_, EL_EDITOR, "emacs");
    ::el_set(edit_, EL_SIGNAL, 0);
    ::el_set(edit_, EL_GETCFN, &Impl::read_char);
    history_ = ::history_init();
    HistEvent event;
    ::history(history_, &event, H_SETSIZE, kHistoryLines);
    ::history(history_, &event, H_SETUNIQUE, 1);
    if (!history_file_.empty()) ::history(history_, &event, H_LOAD, history_file_.c_str());
    ::el_set(edit_, EL_HIST, ::history, history_);
  }

  ~Impl() {
    ::history_end(history_);
    ::el_end(edit_);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Line read(const char* text) {
    prompt_ = text;
    int size = 0;
    interrupted_ = false;
    // Before the prompt is shown, not after it as libedit would: a Ctrl-D between the two would be lost.
    ::el_set(edit_, EL_PREP_TERM, 1);
    const char* line = ::el_gets(edit_, &size);
    if (interrupted_) {
      ::el_reset(edit_);
      return {End::kInterrupted, ""};
    }
    if (line == nullptr || size <= 0) return {End::kEndOfInput, ""};
    std::string out(line, static_cast<size_t>(size));
    while (!out.empty() && (out.back() == '\n' || out.back() == '\r')) out.pop_back();
    return {End::kLine, std::move(out)};
  }

  void remember(const std::string& line) {
    HistEvent event;
    ::history(history_, &event, H_ENTER, line.c_str());
    if (history_file_.empty()) return;
    const mode_t mask = ::umask(0077);
    ::history(history_, &event, H_SAVE, history_file_.c_str());
    ::umask(mask);
  }

 private:
  static Impl& of(EditLine* edit) {
    Impl* self = nullptr;
    ::el_get(edit, EL_CLIENTDATA, &self);
    return *self;
  }

  static char* prompt(EditLine* edit) { return const_cast<char*>(of(edit).prompt_); }  // libedit does not write to it

  // libedit's own would lose a signal that comes just before its read. As it wants: 1 for a character, 0 at the end of
  // input, -1 for an error.
  static int read_char(EditLine* edit, wchar_t* out) {
    Impl& self = of(edit);
    std::mbstate_t state{};
    while (true) {
      const TerminalSignals::Event event = self.signals_.wait_for_key(STDIN_FILENO);
      if (event == TerminalSignals::Event::kInterrupt) {
        self.interrupted_ = true;
        return -1;
      }
      if (event == TerminalSignals::Event::kRedraw) {
        self.redraw();
        continue;
      }
      char byte = 0;
      const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (n <= 0) return static_cast<int>(n);
      const size_t used = std::mbrtowc(out, &byte, 1, &state);
      if (used == static_cast<size_t>(-2)) continue;  // the first bytes of a character
      if (used != static_cast<size_t>(-1)) return 1;
      state = {};  // no character: as if it had not been typed
    }
  }

  // After the window was resized, or the program was stopped and goes on; the shell has then used the terminal.
  void redraw() {
    ::el_set(edit_, EL_PREP_TERM, 0);
    ::el_set(edit_, EL_PREP_TERM, 1);
    ::el_resize(edit_);
    ::el_set(edit_, EL_REFRESH);
  }

  const std::filesystem::path history_file_;
  TerminalSignals& signals_;
  const char* prompt_ = "";
  bool interrupted_ = false;
  EditLine* edit_ = nullptr;
  History* history_ = nullptr;
};

LineReader::LineReader(const std::filesystem::path& history_file, bool prompt_to_stdout, TerminalSignals& signals)
    : impl_(std::make_unique<Impl>(history_file, prompt_to_stdout ? stdout : stderr, signals)) {}
LineReader::~LineReader() = default;
LineReader::Line LineReader::read(const char* prompt) { return impl_->read(prompt); }
void LineReader::remember(const std::string& line) { impl_->remember(line); }

}  // namespace ingle
