#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <memory>

#include "base/format_units.h"
#include "command.h"
#include "files.h"
#include "format/gguf.h"
#include "format/summary.h"
#include "model_options.h"
#include "server/gguf_json.h"

namespace ingle {
namespace json = boost::json;
namespace {

constexpr size_t kMaxTextShown = 100;  // bytes of a string in the listing for people
constexpr std::string_view kTemplateKey = "tokenizer.chat_template";

struct Options {
  std::string model;
  bool as_json = false, chat_template = false, metadata = false, tensors = false;
};

std::string value_to_text(const GgufValue& value) {
  const json::value shown = gguf_value_json(value);
  if (shown.is_object()) return fmt::format("{} ({})", gguf_type_name(value), shown.at("length").to_number<uint64_t>());
  if (shown.is_double()) return fmt::format("{}", shown.get_double());
  std::string text = shown.is_string() ? std::string(shown.get_string()) : json::serialize(shown);
  const size_t bytes = text.size();
  if (bytes <= kMaxTextShown) return printable(text, false);
  return printable(text.substr(0, kMaxTextShown), false) + fmt::format("... ({} bytes)", bytes);
}

void write_json(const GgufFile& file, const ModelSummary& summary, Console& console) {
  json::object metadata;
  for (const GgufEntry& entry : file.metadata()) metadata[valid_utf8(entry.key)] = gguf_value_json(entry.value);
  json::array tensors;
  for (const GgufTensor& tensor : file.tensors()) {
    json::array shape;
    for (const uint64_t size : tensor.shape) shape.push_back(size);
    tensors.push_back(json::object{{"name", valid_utf8(tensor.name)},
                                   {"type", std::string(dtype_info(tensor.type).name)},
                                   {"shape", std::move(shape)},
                                   {"size_bytes", tensor.size_bytes}});
  }
  const json::object out{{"name", valid_utf8(summary.name)},
                         {"architecture", valid_utf8(summary.architecture)},
                         {"quantization", summary.quantization},
                         {"parameters", summary.parameters},
                         {"context_length", summary.trained_context},
                         {"file_bytes", summary.file_bytes},
                         {"files", file.parts()},
                         {"gguf_version", file.version()},
                         {"chat_template", file.has(kTemplateKey)},
                         {"metadata", std::move(metadata)},
                         {"tensors", std::move(tensors)}};
  console.write(json::serialize(out) + "\n");
}

void write_summary(const GgufFile& file, const ModelSummary& summary, Console& console) {
  const auto row = [&](std::string_view name, const std::string& value) {
    console.write(fmt::format("{:<14}{}\n", name, printable(value, false)));
  };
  if (!summary.name.empty()) row("name", summary.name);
  row("architecture", summary.architecture);
  row("parameters", format_count(summary.parameters));
  row("type", summary.quantization);
  if (summary.trained_context > 0) row("context", fmt::format("{} tokens", summary.trained_context));
  row("size", format_bytes(summary.file_bytes) + (file.parts() > 1 ? fmt::format(" in {} files", file.parts()) : ""));
  std::string types;
  for (const auto& [type, bytes] : summary.type_bytes) {
    types += (types.empty() ? "" : ", ") + type + " " + format_bytes(bytes);
  }
  row("tensors", fmt::format("{}{}{}", file.tensors().size(), types.empty() ? "" : ": ", types));
  row("chat template", file.has(kTemplateKey) ? "yes (--template prints it)" : "no");
}

void write_metadata(const GgufFile& file, Console& console) {
  size_t width = 0;
  for (const GgufEntry& entry : file.metadata()) width = std::max(width, std::min<size_t>(entry.key.size(), 50));
  console.write("\n");
  for (const GgufEntry& entry : file.metadata()) {
    console.write(fmt::format("{:<{}}  {}\n", printable(entry.key, false), width, value_to_text(entry.value)));
  }
}

void write_tensors(const GgufFile& file, Console& console) {
  console.write("\n");
  for (const GgufTensor& tensor : file.tensors()) {
    std::string shape;
    for (const uint64_t size : tensor.shape) shape += (shape.empty() ? "" : " x ") + std::to_string(size);
    console.write(fmt::format("{:<36}  {:<8}  {:>10}  {}\n", printable(tensor.name, false),
                              dtype_info(tensor.type).name, format_bytes(tensor.size_bytes), shape));
  }
}

Status show(const Options& options, Console& console) {
  ASSIGN_OR_RETURN(const std::filesystem::path path, find_model(options.model, console));
  ASSIGN_OR_RETURN(const GgufFile file, GgufFile::open(path));
  if (options.chat_template) {
    if (!file.has(kTemplateKey)) {
      return Error{ErrorCode::kNotFound, printable(options.model, false) + " has no chat template", ""};
    }
    ASSIGN_OR_RETURN(const std::string source, file.get<std::string>(kTemplateKey));
    console.write_model_text(source + "\n");
    return {};
  }
  const ModelSummary summary = summarize(file);
  if (options.as_json) {
    write_json(file, summary, console);
    return {};
  }
  write_summary(file, summary, console);
  if (options.metadata) write_metadata(file, console);
  if (options.tensors) write_tensors(file, console);
  return {};
}

}  // namespace

void add_show(CLI::App& app, Console& console, Action& action) {
  CLI::App* command = app.add_subcommand("show", "Show what a model is");
  auto options = std::make_shared<Options>();
  add_model_argument(*command, options->model);
  command->add_flag("--metadata", options->metadata, "All keys of the file");
  command->add_flag("--tensors", options->tensors, "All tensors of the file");
  CLI::Option* chat_template = command->add_flag("--template", options->chat_template, "The chat template alone");
  command->add_flag("--json", options->as_json, "Everything, for programs")->excludes(chat_template);
  command->callback([options, &console, &action] { action = [options, &console] { return show(*options, console); }; });
}

}  // namespace ingle
