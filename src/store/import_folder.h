// A folder under the store's tmp/ for one import, with a lock in it that tells a sweeper that somebody is at work. Made
// while the store's lock is held; deleted with all that is left in it when the import ends.
#pragma once

#include <filesystem>
#include <optional>

#include "base/result.h"
#include "store/files.h"

namespace ingle {

class ImportFolder {
 public:
  // Errors: kIo, kResourceExhausted.
  static Result<ImportFolder> make(const std::filesystem::path& tmp);
  // Deletes what is in tmp/ and belongs to no running import.
  static void sweep(const std::filesystem::path& tmp);

  ImportFolder(ImportFolder&& other) noexcept;
  ImportFolder& operator=(ImportFolder&&) = delete;
  ~ImportFolder();

  // Where part i of the model goes.
  std::filesystem::path part(size_t i) const;

 private:
  explicit ImportFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
  std::optional<FileLock> lock_;
};

}  // namespace ingle
