// A file that appears whole or not at all: written under a temporary name beside its own, then renamed.
// Owned by whoever writes it, one thread; without commit() the destructor removes the temporary file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "base/result.h"

namespace ingle {

class AtomicFile {
 public:
  // Errors: kIo, kNotFound (no such folder). What lies at `path` must be a regular file or nothing; a symbolic link
  // there is replaced, not followed.
  static Result<AtomicFile> create(const std::filesystem::path& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) = delete;
  ~AtomicFile();

  // Errors: kResourceExhausted when the disk, quota or file size limit is reached; kIo.
  Status append(std::span<const uint8_t> bytes);
  // Makes the bytes durable and gives the file its name, replacing what was there. Nothing may follow it.
  Status commit();

 private:
  AtomicFile(std::filesystem::path path, std::filesystem::path temporary, int fd);
  Error failure(const char* what) const;
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int fd_ = -1;
};

}  // namespace ingle
