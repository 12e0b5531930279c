// File operations the store is built on: locks that die with their holder, writes that are whole or not there, and the
// three ways of taking over a file. Any thread; different processes meet at FileLock.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ingle {

// "cannot WHAT PATH: reason" from errno; kResourceExhausted where the disk or quota is full, kNotFound where absent.
Error file_error(std::string_view what, const std::filesystem::path& path);

// An advisory lock on a file, held until the object or the process dies.
class FileLock {
 public:
  enum class Mode { kShared, kExclusive };
  // Waits for the lock; creates the file. Errors: kIo.
  static Result<FileLock> acquire(const std::filesystem::path& path, Mode mode);
  // An exclusive lock if nobody holds one now, without waiting and without creating the file.
  static std::optional<FileLock> try_acquire(const std::filesystem::path& path);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

struct FileFacts {
  uint64_t size_bytes = 0;
  int64_t mtime_ns = 0;
  friend bool operator==(const FileFacts&, const FileFacts&) = default;
};

// Size and time of last change of a regular file. Errors: kNotFound, kIo.
Result<FileFacts> file_facts(const std::filesystem::path& path);

// Called with the bytes done so far.
using ByteProgress = std::function<void(uint64_t done_bytes)>;

// SHA-256 of a file, 64 hex digits.
Result<std::string> sha256_of_file(const std::filesystem::path& path, const ByteProgress& progress);

enum class Placement { kCloned, kLinked, kCopied };
std::string_view placement_name(Placement placement);

// Puts the bytes of `from` at `to` (which must not exist): as a clone that shares blocks, else, unless `copy_only`, as
// a hard link, else as a copy that is on the disk when this returns. Nothing is left at `to` on error. Errors:
// kResourceExhausted (no space, with the bytes it takes), kIo.
Result<Placement> place_file(const std::filesystem::path& from, const std::filesystem::path& to, bool copy_only,
                             const ByteProgress& progress);

// Makes the folder and those above it where they are not there.
Status make_folders(const std::filesystem::path& path);

// Makes renames and removals in the folder last over a loss of power.
Status sync_folder(const std::filesystem::path& path);

// The text of a file of at most `max_bytes`. Errors: kNotFound, kIo, kInvalidData (longer).
Result<std::string> read_small_file(const std::filesystem::path& path, uint64_t max_bytes);

}  // namespace ingle
