#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace ingle {
namespace {

constexpr size_t kMaxWriteBytes = size_t{1} << 30;  // some systems refuse 2 GiB at once
constexpr int kMaxNames = 1000;

Error path_error(const std::filesystem::path& path, const char* what, int code) {
  ErrorCode kind = ErrorCode::kIo;
  const char* remedy = "";
  if (code == ENOENT || code == ENOTDIR) kind = ErrorCode::kNotFound;
  if (code == ENOSPC || code == EDQUOT || code == EFBIG) {
    kind = ErrorCode::kResourceExhausted;
    remedy = "free some disk space and try again";
  }
  return {kind, "cannot " + std::string(what) + " " + path.string() + ": " + std::strerror(code), remedy};
}

}  // namespace

Result<AtomicFile> AtomicFile::create(const std::filesystem::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode)) {
    return Error{ErrorCode::kIo, "cannot write " + path.string() + ": it is not a regular file", ""};
  }
  for (int i = 0; i < kMaxNames; ++i) {
    std::filesystem::path temporary = path;
    temporary += ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(i);
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0) return AtomicFile(path, std::move(temporary), fd);
    if (errno != EEXIST) return path_error(path, "write", errno);
  }
  return path_error(path, "find a temporary name for", EEXIST);
}

AtomicFile::AtomicFile(std::filesystem::path path, std::filesystem::path temporary, int fd)
    : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)), temporary_(std::move(other.temporary_)), fd_(std::exchange(other.fd_, -1)) {}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

Error AtomicFile::failure(const char* what) const { return path_error(path_, what, errno); }

Status AtomicFile::append(std::span<const uint8_t> bytes) {
  CHECK(fd_ >= 0);
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), std::min(bytes.size(), kMaxWriteBytes));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failure("write");
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

Status AtomicFile::commit() {
  CHECK(fd_ >= 0);
  if (::fsync(fd_) != 0) return failure("write");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return failure("write");
  ::close(std::exchange(fd_, -1));
  return {};
}

}  // namespace ingle
