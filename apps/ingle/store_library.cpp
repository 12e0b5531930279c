#include "store_library.h"

#include "files.h"

namespace ingle {
namespace {

LibraryModel library_model(const StoredModel& model) {
  LibraryModel out;
  out.name = model.ref.name() + ":" + model.ref.tag();
  for (const StoredPart& part : model.parts) out.digest += part.sha256;
  out.size_bytes = model.size_bytes();
  out.modified_s = model.imported_s;
  out.architecture = valid_utf8(model.architecture);
  out.quantization = valid_utf8(model.quantization);
  out.parameters = model.parameters;
  return out;
}

// Of a model that is looked for: what can be no name here names none.
Result<ModelRef> known_ref(const std::string& name) {
  Result<ModelRef> ref = ModelRef::parse(name);
  if (ref.ok()) return ref;
  Error error = ref.error();
  error.code = ErrorCode::kNotFound;
  return error;
}

}  // namespace

Result<std::vector<LibraryModel>> StoreLibrary::list() {
  ASSIGN_OR_RETURN(const std::vector<StoredModel> models, store_.list());
  std::vector<LibraryModel> out;
  for (const StoredModel& model : models) out.push_back(library_model(model));
  return out;
}

Result<LibraryModel> StoreLibrary::find(const std::string& name) {
  ASSIGN_OR_RETURN(const ModelRef ref, known_ref(name));
  ASSIGN_OR_RETURN(const StoredModel model, store_.find(ref));
  return library_model(model);
}

Result<std::filesystem::path> StoreLibrary::file(const std::string& name) {
  ASSIGN_OR_RETURN(const ModelRef ref, known_ref(name));
  return store_.resolve(ref, nullptr);
}

Status StoreLibrary::copy(const std::string& from, const std::string& to) {
  ASSIGN_OR_RETURN(const ModelRef source, known_ref(from));
  ASSIGN_OR_RETURN(const ModelRef destination, ModelRef::parse(to));
  return store_.copy(source, destination);
}

Status StoreLibrary::remove(const std::string& name) {
  ASSIGN_OR_RETURN(const ModelRef ref, known_ref(name));
  if (served_ && ref == *served_) {
    return Error{ErrorCode::kInvalidArgument, ref.to_string() + " is being served", "end the server first"};
  }
  const Result<uint64_t> freed_bytes = store_.remove(ref);
  if (!freed_bytes.ok()) return freed_bytes.error();
  return {};
}

}  // namespace ingle
