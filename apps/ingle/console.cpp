#include "console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ingle {
namespace {

constexpr size_t kFlushBytes = size_t{1} << 16;
constexpr std::chrono::milliseconds kProgressInterval{100};

// 0, or the errno of the failure.
int write_fd(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

}  // namespace

std::string printable(std::string_view text, bool keep_layout) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); i++) {
    const auto byte = static_cast<uint8_t>(text[i]);
    const bool layout = keep_layout && (byte == '\n' || byte == '\t');
    // U+0080 to U+009F, the second set of control characters, are C2 80 to C2 9F.
    const auto next = static_cast<uint8_t>(i + 1 < text.size() ? text[i + 1] : 0);
    if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {
      out += fmt::format("\\x{:02x}", next);
      i++;
    } else if ((byte < 0x20 && !layout) || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += text[i];
    }
  }
  return out;
}

Console::Console() : stdout_is_terminal_(::isatty(1) == 1), stderr_is_terminal_(::isatty(2) == 1) {}

Console::~Console() { end_progress(); }

void Console::write(std::string_view text) {
  if (failed()) return;
  buffer_ += text;
  if (buffer_.size() >= kFlushBytes) (void)flush();
}

void Console::write_model_text(std::string_view text) {
  if (stdout_is_terminal_) {
    write(printable(text, true));
  } else {
    write(text);
  }
}

Status Console::flush() {
  if (!failed() && !buffer_.empty()) {
    end_progress();
    failed_ = write_fd(1, buffer_);
    buffer_.clear();
  }
  if (!failed()) return {};
  return Error{ErrorCode::kIo, std::string("cannot write to standard output: ") + std::strerror(failed_), ""};
}

bool Console::reader_gone() const { return failed_ == EPIPE; }

void Console::note(std::string_view line) {
  end_progress();
  write_fd(2, printable(line, false) + "\n");
}

void Console::error(const Error& error) { note("ingle: " + error.to_string()); }

void Console::progress(std::string_view what, double fraction) {
  if (!stderr_is_terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (progress_shown_ && now - last_progress_ < kProgressInterval) return;
  last_progress_ = now;
  progress_shown_ = true;
  write_fd(2, fmt::format("\r{} {:3.0f} %", what, 100 * std::clamp(fraction, 0.0, 1.0)));
}

void Console::end_progress() {
  if (!progress_shown_) return;
  progress_shown_ = false;
  write_fd(2, "\r\x1b[K");
}

}  // namespace ingle
