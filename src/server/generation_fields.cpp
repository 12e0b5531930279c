#include "server/generation_fields.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <limits>

#include "server/digest.h"

namespace ingle {
namespace {

using jinja::Kind;
using jinja::Value;

constexpr size_t kMaxBiases = 4096;  // each takes its time at every token

void read_stop(RequestFields& fields, std::vector<std::string>& out) {
  const Value* value = fields.find("stop");
  if (value == nullptr) return;
  if (value->is_string()) {
    if (value->text().empty()) return fields.refuse("stop", "must not be empty");
    out = {value->text()};
    return;
  }
  if (!value->is_sequence()) return fields.refuse("stop", "must be a string or an array of strings");
  out.clear();
  for (const Value& item : value->items()) {
    if (!item.is_string()) return fields.refuse("stop", "must be a string or an array of strings");
    if (item.text().empty()) return fields.refuse("stop", "must not have an empty string");
    out.push_back(item.text());
  }
}

void read_logit_bias(RequestFields& fields, std::map<TokenId, float>& out) {
  const Value* value = fields.object("logit_bias");
  if (value == nullptr) return;
  const jinja::Entries& entries = value->dict_object().entries;
  if (entries.size() > kMaxBiases) return fields.refuse("logit_bias", fmt::format("has more than {} keys", kMaxBiases));
  for (const auto& [key, bias] : entries) {
    const std::string& text = key.text();
    TokenId id = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (code != std::errc() || end != text.data() + text.size()) {
      return fields.refuse("logit_bias", "must have token ids as keys");
    }
    if ((!bias.is(Kind::kInt) && !bias.is(Kind::kFloat)) || !(bias.as_double() >= -100 && bias.as_double() <= 100)) {
      return fields.refuse("logit_bias", "must have numbers from -100 to 100 as values");
    }
    out[id] = static_cast<float>(bias.as_double());
  }
}

void read_sampling(RequestFields& fields, SamplingParams& sampling) {
  fields.read("temperature", sampling.temperature, 0, 100);
  fields.read("top_p", sampling.top_p, 0, 1);
  fields.read("min_p", sampling.min_p, 0, 1);
  fields.read("typical_p", sampling.typical_p, 0, 1);
  // vLLM writes "off" as -1, we as 0.
  fields.read("top_k", sampling.top_k, -1, std::numeric_limits<int32_t>::max());
  if (sampling.top_k < 0) sampling.top_k = 0;
  fields.read("repeat_penalty", sampling.repeat_penalty, 0.01, 100);
  fields.read("repetition_penalty", sampling.repeat_penalty, 0.01, 100);
  fields.read("repeat_last_n", sampling.repeat_last_n, -1, std::numeric_limits<int32_t>::max());
  fields.read("presence_penalty", sampling.presence_penalty, -2, 2);
  fields.read("frequency_penalty", sampling.frequency_penalty, -2, 2);
  read_logit_bias(fields, sampling.logit_bias);
  if (fields.has("seed")) {
    int64_t seed = 0;
    fields.read_any("seed", seed);
    sampling.seed = static_cast<uint64_t>(seed);
  } else {
    sampling.seed = random_seed();
  }
}

void read_stream_options(RequestFields& fields, GenerationFields& out) {
  const Value* options = fields.object("stream_options");
  if (options == nullptr) return;
  if (!out.stream) return fields.refuse("stream_options", "is for streams only (set stream)");
  RequestFields inner(*options, "stream_options.");
  inner.read("include_usage", out.include_usage);
  if (inner.error()) fields.refuse("stream_options.include_usage", "must be true or false");
}

// vLLM's: how likely the prompt's tokens are.
void read_prompt_logprobs(RequestFields& fields, GenerationFields& out) {
  if (!fields.has("prompt_logprobs")) return;
  uint32_t alternatives = 0;
  fields.read("prompt_logprobs", alternatives, 0, kMaxTopLogprobs);
  out.request.prompt_logprobs = alternatives;
  if (out.stream) fields.refuse("prompt_logprobs", "are not in streams (leave stream out)");
}

// OpenAI's "user" names whom the request is for. What is no text is ignored, as other servers do.
uint64_t user_of(const RequestFields& fields) {
  const Value* value = fields.find("user");
  if (value == nullptr || !value->is_string() || value->text().empty()) return 0;
  const Sha256 digest = sha256(value->text());
  uint64_t user = 0;
  std::memcpy(&user, digest.data(), sizeof user);
  return user;
}

bool is_number(const Value& value, double number) {
  return (value.is(Kind::kInt) || value.is(Kind::kFloat)) && value.as_double() == number;
}

// What a client may send to say that it does not ask for something.
bool is_nothing(const Value& value) {
  return (value.is(Kind::kBool) && !value.as_bool()) || is_number(value, 0) ||
         (value.is_sequence() && value.items().empty()) || (value.is_string() && value.text().empty());
}

// Of vLLM, SGLang and llama.cpp: what would change the answer and that we can't do.
void refuse_unsupported(RequestFields& fields) {
  for (const char* name :
       {"regex", "ebnf", "stop_token_ids", "allowed_token_ids", "bad_words", "use_beam_search",
        "include_stop_str_in_output", "chat_template", "documents", "mirostat", "dry_multiplier", "xtc_probability"}) {
    const Value* value = fields.find(name);
    if (value != nullptr && !is_nothing(*value)) fields.refuse(name, "is not supported");
  }
  const Value* skip = fields.find("skip_special_tokens");
  if (skip != nullptr && is_nothing(*skip)) fields.refuse("skip_special_tokens", "must be true");
}

}  // namespace

void read_turn(RequestFields& fields, Request& request) {
  fields.read("priority", request.priority, -kMostPriority, kMostPriority);
  request.user = user_of(fields);
}

void read_generation_fields(RequestFields& fields, GenerationFields& out) {
  Request& request = out.request;
  read_sampling(fields, request.sampling);
  fields.read("max_tokens", request.max_tokens, out.may_be_empty ? 0 : 1, kMaxTokens);
  fields.read("min_tokens", request.min_tokens, 0, kMaxTokens);
  fields.read("ignore_eos", request.ignore_eos);
  read_turn(fields, request);
  read_stop(fields, request.stop);
  fields.read("n", out.choices, 1, kMaxChoices);
  fields.read("stream", out.stream);
  read_stream_options(fields, out);
  read_prompt_logprobs(fields, out);
  fields.read("return_tokens_as_token_ids", out.tokens_as_ids);
  read_truncate_options(fields, out.truncate);
  refuse_unsupported(fields);
  out.output = read_structured_output(fields);
}

}  // namespace ingle
