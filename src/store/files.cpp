#include "store/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "base/format_units.h"
#include "base/hex.h"

#if defined(__linux__)
#include <linux/fs.h>
#include <sys/ioctl.h>
#elif defined(__APPLE__)
#include <sys/clonefile.h>
#endif

namespace ingle {
namespace {

constexpr size_t kBufferBytes = size_t{4} << 20;

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  // Errors of close() are errors of writing on network file systems.
  bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

bool write_all(int fd, const uint8_t* data, size_t size) {
  while (size > 0) {
    const ssize_t n = ::write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

// Calls each(data, size) over the file's bytes; stops at its first error.
template <typename Each>
Status for_each_block(const std::filesystem::path& path, Each each) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.ok()) return file_error("open", path);
  std::vector<uint8_t> buffer(kBufferBytes);
  while (true) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error("read", path);
    if (n == 0) return {};
    RETURN_IF_ERROR(each(buffer.data(), static_cast<size_t>(n)));
  }
}

bool try_clone(const std::filesystem::path& from, const std::filesystem::path& to) {
#if defined(__linux__)
  const Fd in(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  const Fd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!in.ok() || !out.ok()) return false;
  if (::ioctl(out.get(), FICLONE, in.get()) == 0 && ::fsync(out.get()) == 0) return true;
  ::unlink(to.c_str());
  return false;
#elif defined(__APPLE__)
  return ::clonefile(from.c_str(), to.c_str(), 0) == 0;
#else
  return false;
#endif
}

Status copy_file(const std::filesystem::path& from, const std::filesystem::path& to, const ByteProgress& progress) {
  ASSIGN_OR_RETURN(const FileFacts facts, file_facts(from));
  struct statvfs space {};
  if (::statvfs(to.parent_path().c_str(), &space) == 0) {
    const uint64_t free_bytes = uint64_t{space.f_bavail} * space.f_frsize;
    if (free_bytes < facts.size_bytes) {
      return Error{ErrorCode::kResourceExhausted,
                   fmt::format("no space for {} in {}: it takes {}, {} are free", from.string(),
                               to.parent_path().string(), format_bytes(facts.size_bytes), format_bytes(free_bytes)),
                   "free some space, or set INGLE_HOME to a folder on another disk"};
    }
  }
  Fd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!out.ok()) return file_error("create", to);
  uint64_t done_bytes = 0;
  RETURN_IF_ERROR(for_each_block(from, [&](const uint8_t* data, size_t size) -> Status {
    if (!write_all(out.get(), data, size)) return file_error("write", to);
    done_bytes += size;
    if (progress) progress(done_bytes);
    return {};
  }));
  if (::fsync(out.get()) != 0 || !out.close()) return file_error("write", to);
  return {};
}

}  // namespace

Error file_error(std::string_view what, const std::filesystem::path& path) {
  const int code = errno;
  Error error{ErrorCode::kIo, fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(code)), ""};
  if (code == ENOENT || code == ENOTDIR) error.code = ErrorCode::kNotFound;
  if (code == ENOSPC || code == EDQUOT) {
    error.code = ErrorCode::kResourceExhausted;
    error.remedy = "free some space, or set INGLE_HOME to a folder on another disk";
  }
  return error;
}

Result<FileLock> FileLock::acquire(const std::filesystem::path& path, Mode mode) {
  // Readers do with less, so that a store which they may not write can still be read.
  const int access = mode == Mode::kShared ? O_RDONLY : O_RDWR;
  const int fd = ::open(path.c_str(), access | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return file_error("open", path);
  FileLock lock(fd);
  while (::flock(fd, mode == Mode::kShared ? LOCK_SH : LOCK_EX) != 0) {
    if (errno != EINTR) return file_error("lock", path);
  }
  return lock;
}

std::optional<FileLock> FileLock::try_acquire(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  FileLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return std::nullopt;
  return lock;
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<FileFacts> file_facts(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return file_error("open", path);
  if (!S_ISREG(info.st_mode)) return Error{ErrorCode::kIo, path.string() + " is not a regular file", ""};
#if defined(__APPLE__)
  const struct timespec mtime = info.st_mtimespec;
#else
  const struct timespec mtime = info.st_mtim;
#endif
  return FileFacts{static_cast<uint64_t>(info.st_size), int64_t{mtime.tv_sec} * 1'000'000'000 + mtime.tv_nsec};
}

Result<std::string> sha256_of_file(const std::filesystem::path& path, const ByteProgress& progress) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  CHECK(context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1);
  uint64_t done_bytes = 0;
  RETURN_IF_ERROR(for_each_block(path, [&](const uint8_t* data, size_t size) -> Status {
    CHECK(EVP_DigestUpdate(context.get(), data, size) == 1);
    done_bytes += size;
    if (progress) progress(done_bytes);
    return {};
  }));
  std::array<uint8_t, 32> digest{};
  CHECK(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
  return to_hex(digest);
}

std::string_view placement_name(Placement placement) {
  switch (placement) {
    case Placement::kCloned:
      return "cloned";
    case Placement::kLinked:
      return "hard-linked";
    case Placement::kCopied:
      return "copied";
  }
  return "";
}

Result<Placement> place_file(const std::filesystem::path& from, const std::filesystem::path& to, bool copy_only,
                             const ByteProgress& progress) {
  if (try_clone(from, to)) return Placement::kCloned;
  // A link may be refused for many reasons (another file system, not the owner, no links at all): copying is the answer
  // to each of them.
  if (!copy_only && ::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), AT_SYMLINK_FOLLOW) == 0) {
    return Placement::kLinked;
  }
  if (Status status = copy_file(from, to, progress); !status.ok()) {
    ::unlink(to.c_str());
    return status.error();
  }
  return Placement::kCopied;
}

Status make_folders(const std::filesystem::path& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (!code) return {};
  errno = code.value();
  return file_error("create", path);
}

Status sync_folder(const std::filesystem::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.ok()) return file_error("open", path);
  // Some file systems can't flush a folder and say EINVAL; they have nothing to flush.
  if (::fsync(fd.get()) != 0 && errno != EINVAL) return file_error("write", path);
  return {};
}

Result<std::string> read_small_file(const std::filesystem::path& path, uint64_t max_bytes) {
  std::string text;
  RETURN_IF_ERROR(for_each_block(path, [&](const uint8_t* data, size_t size) -> Status {
    if (text.size() + size > max_bytes) {
      return Error{ErrorCode::kInvalidData, fmt::format("{} is longer than {}", path.string(), format_bytes(max_bytes)),
                   ""};
    }
    text.append(reinterpret_cast<const char*>(data), size);
    return {};
  }));
  return text;
}

}  // namespace ingle
