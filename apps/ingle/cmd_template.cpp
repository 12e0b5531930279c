#include <charconv>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>
#include <utility>

#include "chat_prompt.h"
#include "command.h"
#include "files.h"
#include "format/gguf.h"
#include "model_options.h"
#include "text/chat_template.h"
#include "text/json_value.h"

namespace ingle {
namespace {

struct Options {
  std::string model, messages, tools, variables;
  bool no_generation_prompt = false;
};

struct Source {
  std::string text;
  std::vector<std::pair<std::string, jinja::Value>> variables;
};

Result<Source> read_source(const std::string& name, Console& console) {
  if (name.ends_with(".jinja")) {
    // A template on its own knows no tokens; without these names many would fail on every conversation.
    ASSIGN_OR_RETURN(std::string text, read_input(name));
    return Source{std::move(text), {{"bos_token", jinja::Value::string("")}, {"eos_token", jinja::Value::string("")}}};
  }
  ASSIGN_OR_RETURN(const std::filesystem::path path, find_model(name, console));
  ASSIGN_OR_RETURN(const GgufFile file, GgufFile::open(path));
  if (!file.has("tokenizer.chat_template")) {
    return Error{ErrorCode::kNotFound, name + " has no chat template", "give a FILE.jinja"};
  }
  Source source;
  ASSIGN_OR_RETURN(source.text, file.get<std::string>("tokenizer.chat_template"));
  ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer, Tokenizer::from_gguf(file));
  source.variables = template_tokens(*tokenizer);
  return source;
}

Result<jinja::Value> read_values(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, read_input(path, kMaxJsonBytes));
  Result<jinja::Value> value = parse_json(text);
  if (value.ok()) return value;
  return Error{value.error().code, path + ": " + value.error().message, value.error().remedy};
}

Result<jinja::Value> read_list(const std::string& path, const std::string& what) {
  ASSIGN_OR_RETURN(jinja::Value value, read_values(path));
  if (!value.is_sequence()) return Error{ErrorCode::kInvalidData, path + ": " + what + " are a JSON array", ""};
  return value;
}

// The time that templates see: $SOURCE_DATE_EPOCH (seconds, UTC) makes what they print reproducible. Otherwise now.
Result<std::optional<std::tm>> template_time() {
  const char* text = std::getenv("SOURCE_DATE_EPOCH");
  if (text == nullptr || *text == '\0') return std::optional<std::tm>();
  std::time_t seconds = 0;
  std::tm time{};
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, seconds);
  if (error != std::errc() || stop != end || gmtime_r(&seconds, &time) == nullptr) {
    return Error{ErrorCode::kInvalidArgument, "SOURCE_DATE_EPOCH is not a number of seconds", ""};
  }
  return std::optional<std::tm>(time);
}

Status render(const Options& options, Console& console) {
  ASSIGN_OR_RETURN(Source source, read_source(options.model, console));
  ASSIGN_OR_RETURN(const ChatTemplate chat_template, ChatTemplate::parse(source.text));
  ChatInput input;
  ASSIGN_OR_RETURN(input.messages, read_list(options.messages, "messages"));
  if (!options.tools.empty()) {
    ASSIGN_OR_RETURN(input.tools, read_list(options.tools, "tools"));
  }
  input.add_generation_prompt = !options.no_generation_prompt;
  input.variables = std::move(source.variables);
  ASSIGN_OR_RETURN(input.now, template_time());
  if (!options.variables.empty()) {
    ASSIGN_OR_RETURN(const jinja::Value variables, read_values(options.variables));
    if (!variables.is_dict()) {
      return Error{ErrorCode::kInvalidData, options.variables + ": variables are a JSON object", ""};
    }
    for (const auto& [key, value] : variables.dict_object().entries) input.variables.emplace_back(key.text(), value);
  }
  ASSIGN_OR_RETURN(const std::string text, chat_template.render(input));
  console.write_model_text(text);
  return {};
}

}  // namespace

void add_template(CLI::App& app, Console& console, Action& action) {
  CLI::App* command = app.add_subcommand("template", "Print the prompt that a chat template makes of messages");
  auto options = std::make_shared<Options>();
  command->add_option("MODEL", options->model, "Name in the store, .gguf file, or template in a .jinja file")
      ->type_name("")
      ->required();
  command->add_option("--messages", options->messages, "JSON array of messages")->type_name("FILE")->required();
  command->add_option("--tools", options->tools, "JSON array of tools")->type_name("FILE");
  command->add_option("--vars", options->variables, "JSON object of more variables for the template")
      ->type_name("FILE");
  command->add_flag("--no-generation-prompt", options->no_generation_prompt, "Don't open the model's answer");
  command->callback(
      [options, &console, &action] { action = [options, &console] { return render(*options, console); }; });
}

}  // namespace ingle
