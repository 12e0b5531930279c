#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "base/format_units.h"
#include "engine/model_info.h"
#include "server/gguf_json.h"
#include "server/ollama.h"
#include "server/ollama_common.h"
#include "server/timestamps.h"
#include "text/utf8.h"

namespace ingle {
namespace {

namespace json = boost::json;

// The version of Ollama's API that this one follows, which clients look at before they ask for what is newer.
constexpr const char* kApiVersion = "0.12.0";
constexpr const char* kNever = "2318-01-01T00:00:00Z";  // as late as Ollama's own: clients add their zone's hours to it
constexpr std::string_view kTemplateKey = "tokenizer.chat_template";

json::object details(const std::string& architecture, const std::string& quantization, uint64_t parameters) {
  json::object out;
  out["parent_model"] = "";
  out["format"] = "gguf";
  out["family"] = replace_each_invalid_byte(architecture);
  out["families"] = json::array{replace_each_invalid_byte(architecture)};
  out["parameter_size"] = format_count(parameters);
  out["quantization_level"] = quantization;
  return out;
}

json::object listed(const std::string& name, const std::string& digest, uint64_t size_bytes, json::object facts) {
  json::object out;
  out["name"] = name;
  out["model"] = name;
  out["size"] = size_bytes;
  out["digest"] = digest;
  out["details"] = std::move(facts);
  return out;
}

json::object listed(const ServedModel& model) {
  const ModelInfo& info = model.engine->info();
  return listed(full_model_name(model.id), model.digest, info.file_bytes,
                details(info.architecture, info.quantization, info.parameters));
}

json::object listed(const LibraryModel& model) {
  json::object out = listed(model.name, model.digest, model.size_bytes,
                            details(model.architecture, model.quantization, model.parameters));
  out["modified_at"] = rfc3339(model.modified_s);
  return out;
}

Reply done() { return json_answer({}); }

std::optional<ApiError> refuse_to_manage(const ApiCall& call) {
  if (call.request.may_manage) return std::nullopt;
  return ApiError{.status = 403,
                  .message =
                      "models are copied and deleted by API keys that say manage in the file of keys, or where no "
                      "key is needed by this machine alone",
                  .param = {},
                  .code = "forbidden"};
}

// The model's name, as "model" or, with older clients, "name".
std::string read_name(RequestFields& fields) {
  std::string name;
  const char* field = fields.has("model") ? "model" : "name";
  fields.read(field, name);
  if (name.empty()) fields.refuse("model", "is missing");
  return name;
}

// "temperature 0.8" and so on, as the parameters of a Modelfile.
std::string parameters_text(const SamplingParams& sampling) {
  return fmt::format("temperature {}\ntop_k {}\ntop_p {}\nmin_p {}\ntypical_p {}\nrepeat_penalty {}\nrepeat_last_n {}",
                     sampling.temperature, sampling.top_k, sampling.top_p, sampling.min_p, sampling.typical_p,
                     sampling.repeat_penalty, sampling.repeat_last_n);
}

// `verbose`: with the vocabulary.
json::object metadata(const GgufFile& file, uint64_t parameters, bool verbose) {
  json::object out;
  for (const GgufEntry& entry : file.metadata()) {
    if (entry.key == kTemplateKey) continue;
    const size_t most = verbose ? std::numeric_limits<size_t>::max() : kMaxGgufArrayItems;
    json::value value = gguf_value_json(entry.value, most);
    // A vocabulary, of which Ollama too tells no more.
    if (value.is_object()) value = nullptr;
    out[replace_each_invalid_byte(entry.key)] = std::move(value);
  }
  out["general.parameter_count"] = parameters;
  return out;
}

json::array capabilities(const GgufFile& file, const ModelInfo& info) {
  json::array out;
  const bool encodes = info.architecture.find("bert") != std::string::npos;
  out.push_back(encodes ? "embedding" : "completion");
  const auto has = [&](const char* text) { return info.chat_template.find(text) != std::string::npos; };
  if (has("tools")) out.push_back("tools");
  if (file.has("tokenizer.ggml.fim_pre_token_id") || file.has("tokenizer.ggml.prefix_token_id"))
    out.push_back("insert");
  if (has("<think>") || has("</think>") || has("[THINK]")) out.push_back("thinking");
  return out;
}

Result<json::object> show(const std::filesystem::path& path, const std::string& name, bool verbose) {
  ASSIGN_OR_RETURN(const GgufFile file, GgufFile::open(path));
  ASSIGN_OR_RETURN(const ModelInfo info, model_info(file));
  const std::string parameters = parameters_text(info.default_sampling);
  std::string modelfile = "FROM " + name + "\n";
  for (size_t at = 0; at < parameters.size();) {
    const size_t end = std::min(parameters.find('\n', at), parameters.size());
    modelfile += "PARAMETER " + parameters.substr(at, end - at) + "\n";
    at = end + 1;
  }
  json::object out;
  ASSIGN_OR_RETURN(const std::string license, file.get_or<std::string>("general.license", ""));
  if (!license.empty()) out["license"] = replace_each_invalid_byte(license);
  out["modelfile"] = modelfile;
  out["parameters"] = parameters;
  out["template"] = replace_each_invalid_byte(info.chat_template);
  out["details"] = details(info.architecture, info.quantization, info.parameters);
  out["model_info"] = metadata(file, info.parameters, verbose);
  out["capabilities"] = capabilities(file, info);
  return out;
}

// A loaded model, or else one of the library.
Result<json::object> show(ServedModels& models, const std::string& name, bool verbose) {
  if (const std::shared_ptr<ServedModel> model = models.find(name); model != nullptr) {
    ASSIGN_OR_RETURN(json::object out, show(model->file, full_model_name(model->id), verbose));
    out["modified_at"] = rfc3339(model->created);
    return out;
  }
  ModelLibrary* library = models.library();
  if (library == nullptr) return Error{ErrorCode::kNotFound, "there is no model \"" + name + "\" here", ""};
  ASSIGN_OR_RETURN(const LibraryModel model, library->find(name));
  ASSIGN_OR_RETURN(const std::filesystem::path path, library->file(name));
  ASSIGN_OR_RETURN(json::object out, show(path, model.name, verbose));
  out["modified_at"] = rfc3339(model.modified_s);
  return out;
}

}  // namespace

Reply ollama_tags(ApiCall& call) {
  json::array models;
  std::vector<LibraryModel> kept;
  if (ModelLibrary* library = call.models.library()) {
    Result<std::vector<LibraryModel>> all = library->list();
    if (!all.ok()) return api_error(all.error());
    kept = std::move(all).value();
  }
  for (const auto& model : call.models.list()) {
    const std::string name = full_model_name(model->id);
    const bool is_kept = std::any_of(kept.begin(), kept.end(), [&](const auto& other) { return other.name == name; });
    if (is_kept) continue;
    json::object out = listed(*model);
    out["modified_at"] = rfc3339(model->created);
    models.push_back(std::move(out));
  }
  for (const LibraryModel& model : kept) models.push_back(listed(model));
  json::object out;
  out["models"] = std::move(models);
  return json_answer(out);
}

Reply ollama_show(ApiCall& call) {
  const std::string name = read_name(call.fields);
  bool verbose = false;
  call.fields.read("verbose", verbose);
  if (call.fields.error()) return *call.fields.error();
  Result<json::object> shown = show(call.models, name, verbose);
  if (!shown.ok()) return api_error(shown.error());
  return json_answer(*shown);
}

Reply ollama_ps(ApiCall& call) {
  json::array models;
  for (const auto& model : call.models.list()) {
    json::object out = listed(*model);
    out["expires_at"] = kNever;
    out["size_vram"] = 0;
    out["context_length"] = model->engine->info().context;
    models.push_back(std::move(out));
  }
  json::object out;
  out["models"] = std::move(models);
  return json_answer(out);
}

Reply ollama_version(ApiCall&) { return json_answer({{"version", kApiVersion}}); }

Reply ollama_copy(ApiCall& call) {
  if (const std::optional<ApiError> refused = refuse_to_manage(call)) return *refused;
  std::string source, destination;
  call.fields.read("source", source);
  call.fields.read("destination", destination);
  if (source.empty()) call.fields.refuse("source", "is missing");
  if (destination.empty()) call.fields.refuse("destination", "is missing");
  if (call.fields.error()) return *call.fields.error();
  ModelLibrary* library = call.models.library();
  if (library == nullptr) return invalid_field("source", "this server keeps no models");
  if (const Status copied = library->copy(source, destination); !copied.ok()) return api_error(copied.error());
  return done();
}

Reply ollama_delete(ApiCall& call) {
  if (const std::optional<ApiError> refused = refuse_to_manage(call)) return *refused;
  const std::string name = read_name(call.fields);
  if (call.fields.error()) return *call.fields.error();
  ModelLibrary* library = call.models.library();
  if (library == nullptr) return invalid_field("model", "this server keeps no models");
  if (const Status removed = library->remove(name); !removed.ok()) return api_error(removed.error());
  return done();
}

Reply ollama_alive(ApiCall&) {
  HttpResponse response;
  response.content_type = "text/plain; charset=utf-8";
  response.body = "Ingle is running\n";
  return answer_with(std::move(response));
}

}  // namespace ingle
