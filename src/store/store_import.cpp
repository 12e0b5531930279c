#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <utility>

#include "format/gguf.h"
#include "format/summary.h"
#include "store/import_folder.h"
#include "store/store.h"

namespace ingle {
namespace fs = std::filesystem;

namespace {

// The files of a model: the one that was named and, of a split one, its siblings.
std::vector<fs::path> part_paths(const fs::path& first, uint32_t parts) {
  if (parts <= 1) return {first};
  const std::string text = first.string();
  const std::string prefix = text.substr(0, text.size() - std::string_view("00001-of-00001.gguf").size());
  std::vector<fs::path> paths;
  for (uint32_t i = 1; i <= parts; i++) paths.emplace_back(fmt::format("{}{:05d}-of-{:05d}.gguf", prefix, i, parts));
  return paths;
}

struct Source {
  StoredModel model;  // without its parts
  std::vector<fs::path> files;
};

// What the file says of itself, once all of its parts have been found to be sound. The file's error comes before the
// name's.
Result<Source> describe(const fs::path& file, const Result<ModelRef>& ref) {
  ASSIGN_OR_RETURN(const GgufFile gguf, GgufFile::open(file));
  if (!ref.ok()) return ref.error();
  const ModelSummary summary = summarize(gguf);
  Source source{StoredModel(*ref), part_paths(file, gguf.parts())};
  source.model.architecture = summary.architecture;
  source.model.quantization = summary.quantization;
  source.model.parameters = summary.parameters;
  source.model.imported_s = static_cast<int64_t>(std::time(nullptr));
  return source;
}

bool same_bytes(const StoredModel& a, const StoredModel& b) {
  return std::equal(a.parts.begin(), a.parts.end(), b.parts.begin(), b.parts.end(),
                    [](const StoredPart& x, const StoredPart& y) { return x.sha256 == y.sha256; });
}

// Scales a part's progress to that of the whole model.
ByteProgress part_progress(const StoreProgress& progress, std::string_view what, uint64_t before, uint64_t total) {
  if (!progress) return nullptr;
  return [&progress, what, before, total](uint64_t done) { progress(what, before + done, total); };
}

// Takes the files into the folder and adds them to the model's parts. They are read only once they are there: the bytes
// that are checked are those that are kept.
Result<Placement> place_parts(const std::vector<fs::path>& files, const ImportFolder& folder, bool copy_only,
                              StoredModel& model, const StoreProgress& progress) {
  uint64_t total_bytes = 0;
  for (const fs::path& file : files) {
    ASSIGN_OR_RETURN(const FileFacts facts, file_facts(file));
    total_bytes += facts.size_bytes;
  }
  uint64_t before_bytes = 0;
  Placement placement = Placement::kCopied;
  for (size_t i = 0; i < files.size(); i++) {
    const fs::path placed = folder.part(i);
    ASSIGN_OR_RETURN(placement, place_file(files[i], placed, copy_only,
                                           part_progress(progress, "copying", before_bytes, total_bytes)));
    StoredPart part;
    ASSIGN_OR_RETURN(part.facts, file_facts(placed));
    ASSIGN_OR_RETURN(part.sha256,
                     sha256_of_file(placed, part_progress(progress, "checking", before_bytes, total_bytes)));
    before_bytes += part.facts.size_bytes;
    model.parts.push_back(std::move(part));
  }
  return placement;
}

}  // namespace

// The blob that is there is kept if a manifest vouches for it; else the bytes just checked take its place.
Status Store::adopt_blob(const fs::path& placed, StoredPart& part) const {
  const fs::path blob = blob_path(part.sha256);
  const Result<FileFacts> there = file_facts(blob);
  if (there.ok()) {
    ASSIGN_OR_RETURN(const std::vector<StoredModel> models, read_all());
    const StoredPart wanted{part.sha256, *there};
    const bool vouched = std::any_of(models.begin(), models.end(), [&](const StoredModel& model) {
      return std::any_of(model.parts.begin(), model.parts.end(), [&](const StoredPart& other) {
        return other.sha256 == wanted.sha256 && other.facts == wanted.facts;
      });
    });
    if (vouched) {
      part.facts = *there;
      return {};
    }
  }
  if (::rename(placed.c_str(), blob.c_str()) != 0) return file_error("move a file to", blob);
  RETURN_IF_ERROR(sync_folder(blob.parent_path()));
  ASSIGN_OR_RETURN(part.facts, file_facts(blob));
  return there.ok() ? refresh_facts(part.sha256) : Status();
}

Status Store::adopt(StoredModel& model, const ImportFolder& folder) const {
  for (size_t i = 0; i < model.parts.size(); i++) RETURN_IF_ERROR(adopt_blob(folder.part(i), model.parts[i]));
  RETURN_IF_ERROR(write_split_links(model));
  return write_manifest(model);
}

Result<Store::ImportResult> Store::import(const fs::path& file, const std::optional<ModelRef>& given, bool copy_only,
                                          const StoreProgress& progress) {
  const Result<ModelRef> ref = given ? Result<ModelRef>(*given) : ModelRef::from_file_name(file.filename().string());
  ASSIGN_OR_RETURN(Source source, describe(file, ref));
  ImportResult result{std::move(source.model)};

  std::optional<ImportFolder> folder;
  {
    ASSIGN_OR_RETURN(const FileLock lock, lock_exclusive());
    ASSIGN_OR_RETURN(ImportFolder made, ImportFolder::make(root_ / "tmp"));
    folder.emplace(std::move(made));
  }
  ASSIGN_OR_RETURN(result.placement, place_parts(source.files, *folder, copy_only, result.model, progress));

  ASSIGN_OR_RETURN(const FileLock lock, lock_exclusive());
  const Result<StoredModel> existing = read_manifest(result.model.ref);
  if (existing.ok() && !same_bytes(*existing, result.model)) {
    const std::string name = result.model.ref.to_string();
    return Error{ErrorCode::kInvalidArgument, name + " already names another model in the store",
                 "choose another --name, or ingle rm " + name + " first"};
  }
  if (!existing.ok() && existing.error().code != ErrorCode::kNotFound) return existing.error();
  result.was_there = existing.ok();
  if (Status status = adopt(result.model, *folder); !status.ok()) {
    if (!result.was_there) static_cast<void>(forget(result.model.ref));  // the first error is the one to tell
    delete_unused();
    return status.error();
  }
  return result;
}

}  // namespace ingle
