#include "store/store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/atomic_file.h"
#include "base/near_name.h"
#include "store/import_folder.h"

namespace ingle {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kBlobPrefix = "sha256-";
constexpr size_t kMaxNamesTold = 20;

// What to do for somebody who asked for a name that is not there.
std::string names_there(const ModelRef& wanted, const std::vector<std::string>& names) {
  if (names.empty()) return "the store is empty: ingle import FILE.gguf fills it";
  std::string text;
  if (const auto meant = near_name(wanted.to_string(), names)) text = "did you mean " + *meant + "? ";
  text += "there are: ";
  for (size_t i = 0; i < std::min(names.size(), kMaxNamesTold); i++) text += (i > 0 ? ", " : "") + names[i];
  if (names.size() > kMaxNamesTold) text += ", ... (ingle list shows all)";
  return text;
}

}  // namespace

Store::Store(fs::path root) : root_(std::move(root)) {}

fs::path Store::blob_path(std::string_view sha256) const {
  return root_ / "blobs" / (std::string(kBlobPrefix) + std::string(sha256));
}
fs::path Store::manifest_path(const ModelRef& ref) const {
  return root_ / "manifests" / ref.name() / (ref.tag() + ".json");
}
fs::path Store::split_folder(const ModelRef& ref) const { return root_ / "splits" / ref.name() / ref.tag(); }
fs::path Store::split_link(const ModelRef& ref, size_t part, size_t parts) const {
  return split_folder(ref) / fmt::format("model-{:05d}-of-{:05d}.gguf", part + 1, parts);
}

Result<std::optional<FileLock>> Store::lock_shared() const {
  Result<FileLock> lock = FileLock::acquire(root_ / "lock", FileLock::Mode::kShared);
  if (!lock.ok() && lock.error().code == ErrorCode::kNotFound) return std::optional<FileLock>();
  if (!lock.ok()) return lock.error();
  ImportFolder::sweep(root_ / "tmp");
  return std::optional<FileLock>(std::move(lock).value());
}

Result<FileLock> Store::lock_exclusive() const {
  for (const char* folder : {"blobs", "manifests", "tmp"}) RETURN_IF_ERROR(make_folders(root_ / folder));
  ASSIGN_OR_RETURN(FileLock lock, FileLock::acquire(root_ / "lock", FileLock::Mode::kExclusive));
  ImportFolder::sweep(root_ / "tmp");
  sweep_manifests();
  return lock;
}

void Store::sweep_manifests() const {
  std::error_code code;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root_ / "manifests", code)) {
    std::error_code ignored;
    if (entry.path().filename().string().find(".json.tmp-") != std::string::npos) fs::remove(entry.path(), ignored);
  }
}

Result<StoredModel> Store::read_manifest(const ModelRef& ref) const {
  const fs::path path = manifest_path(ref);
  ASSIGN_OR_RETURN(const std::string text, read_small_file(path, kMaxManifestBytes));
  Result<StoredModel> model = manifest_from_json(ref, text);
  if (model.ok()) return model;
  return Error{ErrorCode::kInvalidData, "cannot use " + path.string() + ": " + model.error().message,
               "ingle rm " + ref.to_string() + " and import the model again"};
}

Result<std::vector<ModelRef>> Store::read_refs() const {
  std::vector<ModelRef> refs;
  std::error_code code;
  for (const fs::directory_entry& name : fs::directory_iterator(root_ / "manifests", code)) {
    for (const fs::directory_entry& tag : fs::directory_iterator(name.path(), code)) {
      if (tag.path().extension() != ".json") continue;
      const std::string text = name.path().filename().string() + ":" + tag.path().stem().string();
      const Result<ModelRef> ref = ModelRef::parse(text);
      if (ref.ok() && manifest_path(*ref) == tag.path()) refs.push_back(*ref);
    }
    if (code == std::errc::not_a_directory) code.clear();
    if (code) break;
  }
  if (code && code != std::errc::no_such_file_or_directory) {
    errno = code.value();
    return file_error("read", root_ / "manifests");
  }
  std::sort(refs.begin(), refs.end());
  return refs;
}

Result<std::vector<StoredModel>> Store::read_all() const {
  ASSIGN_OR_RETURN(const std::vector<ModelRef> refs, read_refs());
  std::vector<StoredModel> models;
  for (const ModelRef& ref : refs) {
    ASSIGN_OR_RETURN(StoredModel model, read_manifest(ref));
    models.push_back(std::move(model));
  }
  return models;
}

Status Store::write_manifest(const StoredModel& model) const {
  const fs::path path = manifest_path(model.ref);
  RETURN_IF_ERROR(make_folders(path.parent_path()));
  const std::string json = manifest_to_json(model);
  ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path));
  RETURN_IF_ERROR(file.append({reinterpret_cast<const uint8_t*>(json.data()), json.size()}));
  RETURN_IF_ERROR(file.commit());
  return sync_folder(path.parent_path());
}

Status Store::write_split_links(const StoredModel& model) const {
  if (model.parts.size() <= 1) return {};
  RETURN_IF_ERROR(make_folders(split_folder(model.ref)));
  for (size_t i = 0; i < model.parts.size(); i++) {
    const fs::path link = split_link(model.ref, i, model.parts.size());
    std::error_code code;
    fs::remove(link, code);
    fs::create_symlink(fs::path("../../../blobs") / blob_path(model.parts[i].sha256).filename(), link, code);
    if (code) {
      errno = code.value();
      return file_error("create", link);
    }
  }
  return {};
}

Status Store::refresh_facts(std::string_view sha256) const {
  ASSIGN_OR_RETURN(const FileFacts facts, file_facts(blob_path(sha256)));
  ASSIGN_OR_RETURN(std::vector<StoredModel> models, read_all());
  for (StoredModel& model : models) {
    bool changed = false;
    for (StoredPart& part : model.parts) {
      if (part.sha256 != sha256 || part.facts == facts) continue;
      part.facts = facts;
      changed = true;
    }
    if (changed) RETURN_IF_ERROR(write_manifest(model));
  }
  return {};
}

Status Store::forget(const ModelRef& ref) const {
  const fs::path path = manifest_path(ref);
  const bool removed = ::unlink(path.c_str()) == 0;
  const Error error = file_error("remove", path);
  std::error_code ignored;
  fs::remove_all(split_folder(ref), ignored);
  fs::remove(split_folder(ref).parent_path(), ignored);
  fs::remove(path.parent_path(), ignored);
  if (!removed) return error;
  return sync_folder(root_ / "manifests");
}

uint64_t Store::delete_unused() const {
  // A manifest that can't be read may name any blob.
  const Result<std::vector<StoredModel>> models = read_all();
  if (!models.ok()) return 0;
  std::set<fs::path> used;
  for (const StoredModel& model : *models) {
    for (const StoredPart& part : model.parts) used.insert(blob_path(part.sha256));
  }
  uint64_t freed_bytes = 0;
  std::error_code code;
  for (const fs::directory_entry& entry : fs::directory_iterator(root_ / "blobs", code)) {
    if (!entry.path().filename().string().starts_with(kBlobPrefix) || used.contains(entry.path())) continue;
    const Result<FileFacts> facts = file_facts(entry.path());
    std::error_code failed;
    if (fs::remove(entry.path(), failed) && facts.ok()) freed_bytes += facts->size_bytes;
  }
  return freed_bytes;
}

Result<std::vector<StoredModel>> Store::list() {
  ASSIGN_OR_RETURN(const std::optional<FileLock> lock, lock_shared());
  return read_all();
}

Result<StoredModel> Store::find(const ModelRef& ref) {
  ASSIGN_OR_RETURN(const std::optional<FileLock> lock, lock_shared());
  Result<StoredModel> model = read_manifest(ref);
  if (model.ok() || model.error().code != ErrorCode::kNotFound) return model;
  ASSIGN_OR_RETURN(const std::vector<ModelRef> refs, read_refs());
  std::vector<std::string> names;
  for (const ModelRef& other : refs) names.push_back(other.to_string());
  return Error{ErrorCode::kNotFound, "no model named " + ref.to_string() + " in the store", names_there(ref, names)};
}

Result<fs::path> Store::resolve(const ModelRef& ref, const StoreProgress& progress) {
  ASSIGN_OR_RETURN(const StoredModel model, find(ref));
  uint64_t before_bytes = 0;
  for (const StoredPart& part : model.parts) {
    const fs::path blob = blob_path(part.sha256);
    const Result<FileFacts> facts = file_facts(blob);
    const Error changed{ErrorCode::kInvalidData,
                        fmt::format("the bytes of {} are not those that were imported: {} was changed or removed",
                                    ref.to_string(), blob.string()),
                        fmt::format("ingle rm {} and import the model again", ref.to_string())};
    if (!facts.ok() || facts->size_bytes != part.facts.size_bytes) return changed;
    if (*facts != part.facts) {
      // Somebody wrote to it, or only touched it: the bytes tell.
      const ByteProgress checked = [&](uint64_t done) {
        if (progress) progress("checking", before_bytes + done, model.size_bytes());
      };
      ASSIGN_OR_RETURN(const std::string sha256, sha256_of_file(blob, checked));
      if (sha256 != part.sha256) return changed;
      ASSIGN_OR_RETURN(const FileLock lock, lock_exclusive());
      RETURN_IF_ERROR(refresh_facts(part.sha256));
    }
    before_bytes += part.facts.size_bytes;
  }
  if (model.parts.size() == 1) return blob_path(model.parts[0].sha256);
  return split_link(ref, 0, model.parts.size());
}

Status Store::copy(const ModelRef& from, const ModelRef& to) {
  if (const Result<StoredModel> model = find(from); !model.ok()) return model.error();
  ASSIGN_OR_RETURN(const FileLock lock, lock_exclusive());
  ASSIGN_OR_RETURN(StoredModel model, read_manifest(from));
  const Result<StoredModel> there = read_manifest(to);
  if (there.ok()) {
    const auto same = [](const StoredPart& a, const StoredPart& b) { return a.sha256 == b.sha256; };
    if (std::equal(model.parts.begin(), model.parts.end(), there->parts.begin(), there->parts.end(), same)) return {};
    return Error{ErrorCode::kInvalidArgument, to.to_string() + " is another model already",
                 "take another name, or remove that model first"};
  }
  if (there.error().code != ErrorCode::kNotFound) return there.error();
  model.ref = to;
  RETURN_IF_ERROR(write_split_links(model));
  return write_manifest(model);
}

Result<uint64_t> Store::remove(const ModelRef& ref) {
  if (Result<StoredModel> model = find(ref); !model.ok() && model.error().code == ErrorCode::kNotFound) {
    return model.error();
  }
  ASSIGN_OR_RETURN(const FileLock lock, lock_exclusive());
  RETURN_IF_ERROR(forget(ref));
  return delete_unused();
}

Result<fs::path> resolve_model(Store& store, std::string_view text, const StoreProgress& progress) {
  const fs::path path(text);
  if (text.find('/') != std::string_view::npos || text.ends_with(".gguf")) return path;
  std::error_code code;
  const Result<ModelRef> ref = ModelRef::parse(text);
  if (!ref.ok()) return fs::is_regular_file(path, code) ? Result<fs::path>(path) : ref.error();
  Result<fs::path> found = store.resolve(*ref, progress);
  if (!found.ok() && found.error().code == ErrorCode::kNotFound && fs::is_regular_file(path, code)) return path;
  return found;
}

}  // namespace ingle
