#include <chrono>
#include <optional>
#include <utility>

#include "server/chat_messages.h"
#include "server/chat_tools.h"
#include "server/ollama.h"
#include "server/ollama_common.h"
#include "server/ollama_request.h"
#include "server/openai_common.h"
#include "server/timestamps.h"
#include "text/fill_in.h"

namespace ingle {
namespace {

namespace json = boost::json;
using Clock = std::chrono::system_clock;

constexpr double kNsPerMs = 1e6;

// The fields that every line begins with.
json::object line_head(const std::string& model) {
  json::object out;
  out["model"] = model;
  out["created_at"] = rfc3339(Clock::now());
  return out;
}

// {"role":"assistant","content"} for a chat, else a text.
void set_said(json::object& line, bool is_chat, const std::string& text) {
  if (is_chat) {
    line["message"] = json::object{{"role", "assistant"}, {"content", text}};
  } else {
    line["response"] = text;
  }
}

// Lines of JSON, or one object with all of it.
class OllamaWriter final : public AnswerWriter {
 public:
  // `name`: of the model as the request has it. `context`: the prompt's tokens, if the answer is to say what a next
  // request may go on from.
  OllamaWriter(std::shared_ptr<ServedModel> model, std::string name, bool is_chat,
               std::optional<std::vector<TokenId>> context)
      : model_(std::move(model)), name_(std::move(name)), is_chat_(is_chat), context_(std::move(context)) {}

  const char* stream_type() const override { return "application/x-ndjson"; }

  std::string begin(uint32_t) override { return ""; }

  std::string news(uint32_t, const TokenEvent& event) override {
    note(event);
    if (event.text.empty()) return "";
    json::object line = line_head(name_);
    set_said(line, is_chat_, event.text);
    line["done"] = false;
    return json::serialize(line) + "\n";
  }

  std::string end(const Usage& usage) override { return json::serialize(last_line("", usage)) + "\n"; }

  std::string failure(const ApiError& error) override {
    return error_body(error, {.shape = ErrorShape::kOllama, .request_id = {}}) + "\n";
  }

  std::string whole(const std::vector<TokenEvent>& answers, const Usage& usage) override {
    note(answers[0]);
    return json::serialize(last_line(answers[0].text, usage));
  }

 private:
  void note(const TokenEvent& event) {
    finish_ = event.finish;
    if (!context_) return;
    const size_t said = said_tokens(model_->engine->tokenizer(), event);
    context_->insert(context_->end(), event.tokens.begin(), event.tokens.begin() + static_cast<ptrdiff_t>(said));
  }

  json::object last_line(const std::string& text, const Usage& usage) const {
    const auto ns = [](double ms) { return static_cast<int64_t>(ms * kNsPerMs); };
    const std::chrono::nanoseconds total = Clock::now() - started_;
    json::object line = line_head(name_);
    set_said(line, is_chat_, text);
    line["done"] = true;
    line["done_reason"] = finish_ == FinishReason::kLength ? "length" : "stop";
    if (context_) line["context"] = json::array(context_->begin(), context_->end());
    line["total_duration"] = total.count();
    line["load_duration"] = 0;
    line["prompt_eval_count"] = usage.prompt_tokens;
    line["prompt_eval_duration"] = ns(usage.prompt_ms);
    line["eval_count"] = usage.completion_tokens;
    line["eval_duration"] = ns(usage.generation_ms);
    return line;
  }

  const std::shared_ptr<ServedModel> model_;
  const std::string name_;
  const bool is_chat_;
  const Clock::time_point started_ = Clock::now();
  std::optional<std::vector<TokenId>> context_;
  FinishReason finish_ = FinishReason::kNone;
};

// As clients ask for a model to be loaded, or to be given up: it is loaded already, and stays.
Reply loaded(const std::string& name, bool is_chat) {
  json::object line = line_head(name);
  set_said(line, is_chat, "");
  line["done"] = true;
  line["done_reason"] = "load";
  return json_answer(line);
}

std::string name_of(const ApiCall& call) {
  const jinja::Value* name = call.fields.find("model");
  if (name == nullptr) name = call.fields.find("name");
  return name != nullptr && name->is_string() ? name->text() : call.model->id;
}

// keep_alive is a duration, which changes nothing while models stay loaded.
void check_keep_alive(RequestFields& fields) {
  const jinja::Value* given = fields.find("keep_alive");
  if (given == nullptr || given->is_string() || given->is(jinja::Kind::kInt) || given->is(jinja::Kind::kFloat)) return;
  fields.refuse("keep_alive", "must be a duration, such as \"5m\" or a number of seconds");
}

// How the answer is generated.
std::optional<ApiError> read_generation(const ApiCall& call, const jinja::Value& body, GenerationFields& out) {
  out.stream = true;
  out.request.sampling = call.model->engine->info().default_sampling;
  RequestFields fields(body);
  read_generation_fields(fields, out);
  return fields.error();
}

// What of /api/generate we do not have.
void refuse_unsupported(RequestFields& fields) {
  const jinja::Value* images = fields.find("images");
  if (images != nullptr && !(images->is_sequence() && images->items().empty())) {
    fields.refuse("images", "are not supported: this model reads text only");
  }
  std::string text;
  fields.read("template", text);
  if (!text.empty()) fields.refuse("template", "is not supported: the model's own is used, or none with raw");
}

// The tokens of an earlier answer to go on from.
std::vector<TokenId> read_context(RequestFields& fields, const Tokenizer& tokenizer) {
  const jinja::Value* given = fields.find("context");
  if (given == nullptr) return {};
  std::optional<std::vector<TokenId>> ids;
  if (given->is_sequence()) ids = token_ids(*given, tokenizer);
  if (!ids) fields.refuse("context", "must be the context of an earlier answer of this model");
  return std::move(ids).value_or(std::vector<TokenId>());
}

// The prompt as the model gets it.
std::variant<std::vector<TokenId>, ApiError> generate_prompt(ApiCall& call, const jinja::Value& body,
                                                             const std::string& text, bool raw) {
  const Tokenizer& tokenizer = call.model->engine->tokenizer();
  std::string system, suffix;
  call.fields.read("system", system);
  call.fields.read("suffix", suffix);
  const std::vector<TokenId> before = read_context(call.fields, tokenizer);
  if (raw && !system.empty()) call.fields.refuse("system", "is not for raw prompts");
  if (!raw && !call.model->chat && !system.empty()) {
    call.fields.refuse("system", "is not for this model, which has no chat template");
  }
  if (!suffix.empty() && !can_fill_in(tokenizer)) {
    call.fields.refuse("suffix", "needs a model with tokens for filling in, which this one has not");
  }
  if (!suffix.empty() && !(system.empty() && before.empty()))
    call.fields.refuse("suffix", "excludes system and context");
  if (call.fields.error()) return *call.fields.error();
  std::vector<TokenId> tokens;
  if (!suffix.empty()) {
    tokens = fill_in_prompt(tokenizer, fill_in_prefix(tokenizer, text), suffix);
  } else if (raw || !call.model->chat) {
    tokens = tokenizer.encode(text);
  } else {
    ChatInput input;
    input.messages = conversation(system, text);
    if (const jinja::Value* variables = body.dict_object().find("chat_template_kwargs")) {
      for (const auto& [name, value] : variables->dict_object().entries)
        input.variables.emplace_back(name.text(), value);
    }
    Result<std::vector<TokenId>> rendered = call.model->chat->tokens(std::move(input));
    if (!rendered.ok()) return invalid_field("prompt", rendered.error().to_string());
    tokens = std::move(rendered).value();
  }
  if (before.empty()) return tokens;
  // The beginning of a text is in the context already.
  const bool begins_anew = !tokens.empty() && tokens.front() == tokenizer.bos();
  std::vector<TokenId> all = before;
  all.insert(all.end(), tokens.begin() + (begins_anew ? 1 : 0), tokens.end());
  return all;
}

}  // namespace

Reply ollama_chat(ApiCall& call) {
  RequestFields& fields = call.fields;
  check_keep_alive(fields);
  std::optional<ApiError> error;
  const jinja::Value body = openai_body_of_ollama(fields, error);
  if (error) return *error;
  const jinja::Value* messages = body.dict_object().find("messages");
  if (messages == nullptr || messages->items().empty()) return loaded(name_of(call), true);
  GenerationFields generation;
  if (std::optional<ApiError> refused = read_generation(call, body, generation)) return *refused;
  RequestFields chat(body);
  ChatInput input;
  read_chat_input(chat, input);
  refuse_tools(chat);
  if (chat.error()) return *chat.error();
  if (!call.model->chat) return invalid_field("model", "the model has no chat template (use /api/generate)");
  Result<std::vector<TokenId>> prompt = call.model->chat->tokens(std::move(input));
  if (!prompt.ok()) return invalid_field("messages", prompt.error().to_string());
  truncate_prompt(generation.truncate, call.model->engine->tokenizer(), call.model->engine->info().context,
                  generation.request.max_tokens, *prompt);
  return start_answer(call, generation, {*prompt},
                      std::make_unique<OllamaWriter>(call.model, name_of(call), true, std::nullopt));
}

Reply ollama_generate(ApiCall& call) {
  RequestFields& fields = call.fields;
  check_keep_alive(fields);
  std::string text;
  bool raw = false;
  fields.read("prompt", text);
  fields.read("raw", raw);
  refuse_unsupported(fields);
  std::optional<ApiError> error;
  const jinja::Value body = openai_body_of_ollama(fields, error);
  if (error) return *error;
  if (text.empty() && !fields.has("suffix")) return loaded(name_of(call), false);
  GenerationFields generation;
  if (std::optional<ApiError> refused = read_generation(call, body, generation)) return *refused;
  auto prompt = generate_prompt(call, body, text, raw);
  if (const ApiError* refused = std::get_if<ApiError>(&prompt)) return *refused;
  std::vector<TokenId>& tokens = std::get<0>(prompt);
  generation.request.continues_text = raw || fields.has("suffix") || !call.model->chat;
  truncate_prompt(generation.truncate, call.model->engine->tokenizer(), call.model->engine->info().context,
                  generation.request.max_tokens, tokens);
  auto writer =
      std::make_unique<OllamaWriter>(call.model, name_of(call), false, raw ? std::nullopt : std::optional(tokens));
  return start_answer(call, generation, {tokens}, std::move(writer));
}

}  // namespace ingle
