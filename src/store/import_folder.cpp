#include "store/import_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace ingle {
namespace fs = std::filesystem;
namespace {
constexpr const char* kLockName = "lock";
}  // namespace

Result<ImportFolder> ImportFolder::make(const fs::path& tmp) {
  std::string name = (tmp / "import-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return file_error("create a folder in", tmp);
  ImportFolder folder{fs::path(name)};
  ASSIGN_OR_RETURN(folder.lock_, FileLock::acquire(folder.path_ / kLockName, FileLock::Mode::kExclusive));
  return folder;
}

void ImportFolder::sweep(const fs::path& tmp) {
  std::error_code code;
  for (const fs::directory_entry& entry : fs::directory_iterator(tmp, code)) {
    const fs::path lock = entry.path() / kLockName;
    std::error_code ignored;
    if (fs::exists(lock, ignored) && !FileLock::try_acquire(lock)) continue;
    fs::remove_all(entry.path(), ignored);
  }
}

ImportFolder::ImportFolder(ImportFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})), lock_(std::exchange(other.lock_, std::nullopt)) {}

ImportFolder::~ImportFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

fs::path ImportFolder::part(size_t i) const { return path_ / fmt::format("part-{}", i); }

}  // namespace ingle
