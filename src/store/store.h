// The models on this machine, by name. Bytes are kept once per content, under their SHA-256:
//   blobs/sha256-<hex>                                  the files themselves
//   manifests/<name>/<tag>.json                         what a name stands for (manifest.h)
//   splits/<name>/<tag>/model-0000I-of-0000N.gguf       links to the blobs of a split model, as its reader wants them
//   tmp/<import>/                                       an import under way; swept once its process is gone
//   lock                                                held for the moments in which names or blobs change
// Used by the commands and, later, the node. Any thread and any number of processes: what is seen is always a whole
// state, and a command that fails or is killed leaves the names and blobs that were there. The folder is made by the
// first import.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/files.h"
#include "store/manifest.h"
#include "store/model_ref.h"

namespace ingle {

// What a long operation is doing ("copying", "checking") and how much of it is done.
using StoreProgress = std::function<void(std::string_view what, uint64_t done_bytes, uint64_t total_bytes)>;

class ImportFolder;

class Store {
 public:
  explicit Store(std::filesystem::path root);

  struct ImportResult {
    StoredModel model;
    Placement placement = Placement::kCopied;
    bool was_there = false;  // the same model under the same name: nothing was changed
  };

  // Takes over a GGUF file, all its parts if it is split. Without a name, one is made from the file's. Errors: those of
  // GgufFile::open, kInvalidArgument (the name stands for another model), kResourceExhausted (no space), kIo.
  Result<ImportResult> import(const std::filesystem::path& file, const std::optional<ModelRef>& ref, bool copy_only,
                              const StoreProgress& progress);

  // All models, by name. A manifest that can't be read is an error that names it.
  Result<std::vector<StoredModel>> list();

  // Errors: kNotFound, with the names that there are.
  Result<StoredModel> find(const ModelRef& ref);

  // The file to open for a model (the first part of a split one), after a look at whether the blobs are still what they
  // were: size and time of change, and where those differ the SHA-256. Errors: kNotFound, kInvalidData (changed).
  Result<std::filesystem::path> resolve(const ModelRef& ref, const StoreProgress& progress);

  // Another name for a model; nothing if it stands for that model already. Errors: kNotFound, kInvalidArgument (the
  // name stands for another model).
  Status copy(const ModelRef& from, const ModelRef& to);

  // Forgets a name, and deletes the blobs that no other name needs. Gives the bytes freed in the store.
  Result<uint64_t> remove(const ModelRef& ref);

  const std::filesystem::path& root() const { return root_; }

 private:
  std::filesystem::path blob_path(std::string_view sha256) const;
  std::filesystem::path manifest_path(const ModelRef& ref) const;
  std::filesystem::path split_folder(const ModelRef& ref) const;
  std::filesystem::path split_link(const ModelRef& ref, size_t part, size_t parts) const;

  // No lock where there is no store: nothing can be read or be in the way.
  Result<std::optional<FileLock>> lock_shared() const;
  // Makes the store's folders.
  Result<FileLock> lock_exclusive() const;

  // The following are called with the lock held, those that write with the exclusive one.
  // Deletes what a killed process left of a manifest that it was writing.
  void sweep_manifests() const;
  Result<StoredModel> read_manifest(const ModelRef& ref) const;
  Result<std::vector<ModelRef>> read_refs() const;
  Result<std::vector<StoredModel>> read_all() const;
  Status write_manifest(const StoredModel& model) const;
  Status write_split_links(const StoredModel& model) const;
  // Every manifest that names the blob gets the facts of now.
  Status refresh_facts(std::string_view sha256) const;
  Status adopt_blob(const std::filesystem::path& placed, StoredPart& part) const;
  Status adopt(StoredModel& model, const ImportFolder& folder) const;
  // Removes the name, its links and the folders that this leaves empty.
  Status forget(const ModelRef& ref) const;
  // Deletes the blobs that no manifest names. Gives their bytes.
  uint64_t delete_unused() const;

  std::filesystem::path root_;
};

// A way to name a model on the command line: a path to a GGUF file (it has a '/' or ends in ".gguf"), else a name in
// the store. Gives the file to open.
Result<std::filesystem::path> resolve_model(Store& store, std::string_view text, const StoreProgress& progress);

}  // namespace ingle
