// A file mapped read-only into memory. Owned by whoever opened it; movable; the bytes live as long as the object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "base/result.h"

namespace ingle {

class MappedFile {
 public:
  // Errors: kNotFound, kIo (not a regular file, can't be read or mapped). An empty file maps to no bytes.
  static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const uint8_t> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

  // Gives the pages that lie wholly inside [offset, offset + size) back to the system. Reading them again is allowed
  // and goes to the file. Called once a tensor's bytes have been repacked, so that a load peaks at about the file's
  // size.
  void release(size_t offset_bytes, size_t size_bytes) const;

 private:
  MappedFile(std::filesystem::path path, const uint8_t* data, size_t size);
  std::filesystem::path path_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace ingle
