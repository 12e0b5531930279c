#include "line_reader.h"

#include <histedit.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>

namespace ingle {
namespace {
constexpr int kHistoryLines = 1000;
}  // namespace

class LineReader::Impl {
 public:
  Impl(std::filesystem::path history_file, FILE* out) : history_file_(std::move(history_file)) {
    // libedit takes characters, not bytes: without a locale that has them, what is typed beyond ASCII would be lost.
    if (std::setlocale(LC_CTYPE, "") == nullptr || MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
    edit_ = ::el_init("ingle", stdin, out, stderr);
    ::el_set(edit_, EL_CLIENTDATA, this);
    ::el_set(edit_, EL_PROMPT, &Impl::prompt);
    ::el_set(edit_, EL_EDITOR, "emacs");
    ::el_set(edit_, EL_SIGNAL, 0);
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
    errno = 0;
    const char* line = ::el_gets(edit_, &size);
    if (line == nullptr && errno == EINTR) {
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
  static char* prompt(EditLine* edit) {
    Impl* self = nullptr;
    ::el_get(edit, EL_CLIENTDATA, &self);
    return const_cast<char*>(self->prompt_);  // libedit's type; it does not write
  }

  const std::filesystem::path history_file_;
  const char* prompt_ = "";
  EditLine* edit_ = nullptr;
  History* history_ = nullptr;
};

LineReader::LineReader(const std::filesystem::path& history_file, bool prompt_to_stdout)
    : impl_(std::make_unique<Impl>(history_file, prompt_to_stdout ? stdout : stderr)) {}
LineReader::~LineReader() = default;
LineReader::Line LineReader::read(const char* prompt) { return impl_->read(prompt); }
void LineReader::remember(const std::string& line) { impl_->remember(line); }

}  // namespace ingle
