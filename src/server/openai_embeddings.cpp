#include <fmt/format.h>
#include <openssl/evp.h>

#include <bit>
#include <utility>

#include "server/embedding_answer.h"
#include "server/json_text.h"
#include "server/openai.h"
#include "server/openai_common.h"

namespace ingle {
namespace {

using jinja::Kind;

bool is_ids(const jinja::Value& value) {
  return value.is_sequence() && !value.items().empty() && value.items()[0].is(Kind::kInt);
}

std::vector<TokenId> one_input(RequestFields& fields, const jinja::Value& value, const Tokenizer& tokenizer) {
  if (value.is_string()) return tokenizer.encode(value.text());
  if (!is_ids(value)) {
    fields.refuse("input", "must be a string, an array of token ids, or an array of these");
    return {};
  }
  std::optional<std::vector<TokenId>> ids = token_ids(value, tokenizer);
  if (!ids) fields.refuse("input", "has something that is no token id of this model");
  return ids ? std::move(*ids) : std::vector<TokenId>();
}

std::vector<std::vector<TokenId>> read_inputs(RequestFields& fields, const Engine& engine) {
  std::vector<std::vector<TokenId>> out;
  const jinja::Value* value = fields.find("input");
  if (value == nullptr) {
    fields.refuse("input", "is missing");
    return out;
  }
  const bool several = value->is_sequence() && !is_ids(*value);
  const size_t count = several ? value->items().size() : 1;
  if (count == 0) fields.refuse("input", "is empty");
  if (count > kMaxEmbeddingInputs)
    fields.refuse("input", fmt::format("has {} texts, {} are allowed", count, kMaxEmbeddingInputs));
  bool truncate = false;
  fields.read("truncate", truncate);
  for (size_t i = 0; i < count && !fields.error(); i++) {
    std::vector<TokenId> tokens = one_input(fields, several ? value->items()[i] : *value, engine.tokenizer());
    if (truncate) truncate_embedding_input(tokens, engine.info().context, engine.tokenizer());
    out.push_back(std::move(tokens));
  }
  return out;
}

// pooling and normalize are ours.
EmbeddingOptions read_options(RequestFields& fields, const ModelInfo& info) {
  EmbeddingOptions options;
  fields.read("normalize", options.normalize);
  if (fields.has("pooling")) {
    std::string pooling;
    fields.read("pooling", pooling);
    if (pooling == "mean") {
      options.pooling = Pooling::kMean;
    } else if (pooling == "last") {
      options.pooling = Pooling::kLast;
    } else if (pooling == "cls" && !info.generates) {
      options.pooling = Pooling::kFirst;
    } else {
      fields.refuse("pooling", info.generates ? "must be mean or last" : "must be mean, cls or last");
    }
  }
  if (fields.has("dimensions")) {
    uint32_t dimensions = 0;
    fields.read("dimensions", dimensions, 1, 1u << 30);
    if (dimensions != info.embedding_length) {
      fields.refuse("dimensions",
                    fmt::format("must be {}, the model's own: the first few of them mean nothing by themselves",
                                info.embedding_length));
    }
  }
  for (const char* name : {"truncate_prompt_tokens", "mm_processor_kwargs"}) {
    if (fields.has(name)) fields.refuse(name, "is not supported (truncate cuts inputs to the context)");
  }
  return options;
}

// The floats' bytes, little-endian, as the official client asks for them.
std::string base64_floats(const std::vector<float>& values) {
  std::string bytes;
  for (const float value : values) {
    const auto bits = std::bit_cast<uint32_t>(value);
    for (int i = 0; i < 4; i++) bytes += static_cast<char>(bits >> (8 * i) & 0xff);
  }
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');  // and the 0 that is written behind it
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(length));
  return out;
}

std::string list_body(const std::string& model, bool base64, const std::vector<std::vector<float>>& vectors,
                      uint64_t prompt_tokens) {
  JsonList data('[');
  for (size_t i = 0; i < vectors.size(); i++) {
    JsonList entry('{');
    entry.add("object", json_string("embedding"));
    entry.add("index", std::to_string(i));
    entry.add("embedding", base64 ? json_string(base64_floats(vectors[i])) : float_array(vectors[i]));
    data.add(std::move(entry).text());
  }
  JsonList usage('{');
  usage.add("prompt_tokens", std::to_string(prompt_tokens));
  usage.add("total_tokens", std::to_string(prompt_tokens));
  JsonList out('{');
  out.add("object", json_string("list"));
  out.add("data", std::move(data).text());
  out.add("model", json_string(model));
  out.add("usage", std::move(usage).text());
  return std::move(out).text() + "\n";
}

}  // namespace

Reply openai_embeddings(ApiCall& call) {
  RequestFields& fields = call.fields;
  const Engine& engine = *call.model->engine;
  const EmbeddingOptions options = read_options(fields, engine.info());
  std::string format = "float";
  fields.read("encoding_format", format);
  if (format != "float" && format != "base64") fields.refuse("encoding_format", "must be float or base64");
  std::vector<std::vector<TokenId>> inputs;
  if (!fields.error()) inputs = read_inputs(fields, engine);
  if (fields.error()) return *fields.error();
  return embedding_answer(call, options, std::move(inputs),
                          [model = call.model->id, base64 = format == "base64"](const auto& vectors, uint64_t tokens) {
                            return list_body(model, base64, vectors, tokens);
                          });
}

}  // namespace ingle
