#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "server/embedding_answer.h"
#include "server/json_text.h"
#include "server/ollama.h"
#include "server/ollama_request.h"

namespace ingle {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<std::string> read_texts(RequestFields& fields) {
  const jinja::Value* input = fields.find("input");
  if (input == nullptr) return {};
  std::vector<std::string> out;
  if (input->is_string() && !input->text().empty()) out.push_back(input->text());
  if (input->is_string()) return out;
  const size_t count = input->is_sequence() ? input->items().size() : 0;
  if (!input->is_sequence()) fields.refuse("input", "must be a string or an array of strings");
  if (count > kMaxEmbeddingInputs) {
    fields.refuse("input", fmt::format("has {} texts, {} are allowed", count, kMaxEmbeddingInputs));
  }
  for (size_t i = 0; i < count && !fields.error(); i++) {
    const jinja::Value& text = input->items()[i];
    if (!text.is_string()) {
      fields.refuse("input", "must be a string or an array of strings");
    } else {
      out.push_back(text.text());
    }
  }
  return out;
}

// Texts that are too long are cut unless the request says otherwise.
std::vector<std::vector<TokenId>> read_inputs(ApiCall& call, const std::vector<std::string>& texts) {
  const Engine& engine = *call.model->engine;
  bool truncate = true;
  call.fields.read("truncate", truncate);
  std::vector<std::vector<TokenId>> out;
  for (const std::string& text : texts) {
    std::vector<TokenId> tokens = engine.tokenizer().encode(text);
    if (truncate) truncate_embedding_input(tokens, engine.info().context, engine.tokenizer());
    out.push_back(std::move(tokens));
  }
  return out;
}

void check_dimensions(RequestFields& fields, uint32_t own) {
  uint32_t dimensions = own;
  fields.read("dimensions", dimensions, 0, 1u << 30);
  if (dimensions != 0 && dimensions != own) {
    fields.refuse("dimensions",
                  fmt::format("must be {}, the model's own: the first few of them mean nothing by themselves", own));
  }
}

std::string embed_body(const std::string& model, Clock::time_point started,
                       const std::vector<std::vector<float>>& vectors, uint64_t prompt_tokens) {
  JsonList all('[');
  for (const std::vector<float>& vector : vectors) all.add(float_array(vector));
  const std::chrono::nanoseconds total = Clock::now() - started;
  JsonList out('{');
  out.add("model", json_string(model));
  out.add("embeddings", std::move(all).text());
  out.add("total_duration", std::to_string(total.count()));
  out.add("load_duration", "0");
  out.add("prompt_eval_count", std::to_string(prompt_tokens));
  return std::move(out).text() + "\n";
}

std::unique_ptr<Answer> json_text_answer(std::string body) {
  HttpResponse response;
  response.body = std::move(body);
  return answer_with(std::move(response));
}

}  // namespace

Reply ollama_embed(ApiCall& call) {
  read_keep_alive(call.fields);
  check_dimensions(call.fields, call.model->engine->info().embedding_length);
  std::vector<std::vector<TokenId>> inputs = read_inputs(call, read_texts(call.fields));
  if (call.fields.error()) return *call.fields.error();
  const std::string model = asked_model_name(call);
  const Clock::time_point started = Clock::now();
  // As clients ask for a model to be loaded, by an empty text, too.
  if (inputs.empty()) return json_text_answer(embed_body(model, started, {}, 0));
  EmbeddingOptions options;
  options.normalize = true;
  return embedding_answer(call, options, std::move(inputs),
                          [model, started](const std::vector<std::vector<float>>& vectors, uint64_t prompt_tokens) {
                            return embed_body(model, started, vectors, prompt_tokens);
                          });
}

Reply ollama_embeddings(ApiCall& call) {
  read_keep_alive(call.fields);
  std::string prompt;
  call.fields.read("prompt", prompt);
  if (call.fields.error()) return *call.fields.error();
  const auto body = [](const std::vector<std::vector<float>>& vectors, uint64_t) {
    JsonList out('{');
    out.add("embedding", vectors.empty() ? "[]" : float_array(vectors[0]));
    return std::move(out).text() + "\n";
  };
  if (prompt.empty()) return json_text_answer(body({}, 0));
  EmbeddingOptions options;
  options.normalize = false;
  return embedding_answer(call, options, read_inputs(call, {prompt}), body);
}

}  // namespace ingle
