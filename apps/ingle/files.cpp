#include "files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/format_units.h"
#include "text/utf8.h"

namespace ingle {
namespace fs = std::filesystem;
namespace json = boost::json;
namespace {

constexpr size_t kReadBytes = size_t{1} << 18;
constexpr size_t kMaxJsonDepth = 200;
constexpr const char* kStdinName = "standard input";
constexpr int kPatienceMs = 3000;

Result<std::string> read_fd(int fd, const std::string& name, size_t max_bytes) {
  std::string text;
  while (true) {
    const size_t before = text.size();
    text.resize(before + kReadBytes);
    const ssize_t n = ::read(fd, text.data() + before, kReadBytes);
    text.resize(before + static_cast<size_t>(n > 0 ? n : 0));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error{ErrorCode::kIo, fmt::format("cannot read {}: {}", name, std::strerror(errno)), ""};
    if (n == 0) return text;
    if (text.size() > max_bytes) {
      return Error{ErrorCode::kInvalidData, fmt::format("{} is longer than {}", name, format_bytes(max_bytes)), ""};
    }
  }
}

}  // namespace

Result<fs::path> data_folder() {
  if (const char* home = std::getenv("INGLE_HOME"); home != nullptr && *home != '\0') return fs::path(home);
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') {
    const struct passwd* user = ::getpwuid(::getuid());
    home = user == nullptr ? nullptr : user->pw_dir;
  }
  if (home == nullptr || *home == '\0') {
    return Error{ErrorCode::kNotFound, "there is no home folder to keep models in", "set INGLE_HOME to a folder"};
  }
  return fs::path(home) / ".local/share/ingle";
}

Result<Store> open_store() {
  ASSIGN_OR_RETURN(fs::path root, data_folder());
  return Store(std::move(root));
}

Result<fs::path> find_model(const std::string& text, Console& console) {
  ASSIGN_OR_RETURN(Store store, open_store());
  Result<fs::path> path = resolve_model(store, text, [&](std::string_view what, uint64_t done, uint64_t total) {
    console.progress(what, static_cast<double>(done) / static_cast<double>(total));
  });
  console.end_progress();
  return path;
}

Result<std::string> read_input(const fs::path& path, size_t max_bytes) {
  if (path == "-") return read_fd(0, kStdinName, max_bytes);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return file_error("open", path);
  Result<std::string> text = read_fd(fd, path.string(), max_bytes);
  ::close(fd);
  return text;
}

Result<std::string> read_stdin() { return read_fd(0, kStdinName, kMaxTextBytes); }

void tell_if_stdin_is_slow(Console& console) {
  struct pollfd input {};
  input.fd = 0;
  input.events = POLLIN;
  if (::poll(&input, 1, kPatienceMs) != 0) return;
  console.note(::isatty(0) == 1 ? "Note: reading from the terminal; Ctrl-D on an empty line ends the text"
                                : "Note: waiting for the end of standard input (< /dev/null gives none)");
}

Result<json::value> read_json(const fs::path& path) {
  ASSIGN_OR_RETURN(const std::string text, read_input(path, kMaxJsonBytes));
  json::stream_parser parser({}, {.max_depth = kMaxJsonDepth});
  json::error_code code;
  const size_t used = parser.write_some(text, code);
  if (!code && used < text.size() && text.find_first_not_of(" \t\r\n", used) != std::string::npos) {
    code = json::error::extra_data;
  }
  if (!code) parser.finish(code);
  if (code) {
    return Error{ErrorCode::kInvalidData,
                 fmt::format("{} is not JSON: {} at byte {}", path.string(), code.message(), used), ""};
  }
  return parser.release();
}

std::string valid_utf8(std::string_view text) {
  if (is_valid_utf8(text)) return std::string(text);
  std::string out;
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text);
    append_utf8(out, c.codepoint);
    text.remove_prefix(c.size_bytes);
  }
  return out;
}

}  // namespace ingle
