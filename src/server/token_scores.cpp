#include "server/token_scores.h"

#include <algorithm>
#include <set>

#include "server/openai_common.h"

namespace ingle {
namespace {

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; }));
}

}  // namespace

std::string token_name(const Tokenizer& tokenizer, TokenId id, bool as_id) {
  return as_id ? "token_id:" + std::to_string(id) : token_text(tokenizer, id);
}

size_t TextOffsets::next(TokenId id) {
  const size_t at = characters_;
  characters_ += count_characters(detokenizer_.push(id));
  return at;
}

void CompletionScores::add_token(TokenId id) {
  tokens_.add(json_string(token_name(tokenizer_, id, as_ids_)));
  text_offsets_.add(std::to_string(offsets_.next(id)));
  count_++;
}

void CompletionScores::add_first(TokenId id) {
  add_token(id);
  logprobs_.add("null");
  tops_.add("null");
}

// Of tokens with the same name the likeliest counts.
void CompletionScores::add(TokenId id, float logprob, const Alternatives& top) {
  add_token(id);
  logprobs_.add(json_number(said_logprob(logprob)));
  JsonList all('{');
  std::set<std::string> named;
  const auto name = [&](TokenId one, float score) {
    std::string text = token_name(tokenizer_, one, as_ids_);
    if (named.contains(text)) return;
    all.add(text, json_number(said_logprob(score)));
    named.insert(std::move(text));
  };
  for (size_t i = 0; i < std::min<size_t>(alternatives_, top.size()); i++) name(top[i].first, top[i].second);
  name(id, logprob);
  tops_.add(std::move(all).text());
}

std::string CompletionScores::text() && {
  JsonList out('{');
  out.add("tokens", std::move(tokens_).text());
  out.add("token_logprobs", std::move(logprobs_).text());
  out.add("top_logprobs", std::move(tops_).text());
  out.add("text_offset", std::move(text_offsets_).text());
  return std::move(out).text();
}

std::string prompt_logprobs_text(const Tokenizer& tokenizer, const std::vector<TokenId>& prompt,
                                 const std::vector<PromptScore>& scores, uint32_t alternatives) {
  JsonList out('[');
  out.add("null");
  for (size_t i = 0; i < scores.size(); i++) {
    JsonList tokens('{');
    bool has_own = false;
    const auto add = [&](TokenId id, float logprob, size_t rank) {
      JsonList one('{');
      one.add("logprob", json_number(said_logprob(logprob)));
      one.add("rank", std::to_string(rank));
      one.add("decoded_token", json_string(token_text(tokenizer, id)));
      tokens.add(std::to_string(id), std::move(one).text());
    };
    const TokenId own = prompt[i + 1];
    for (size_t k = 0; k < std::min<size_t>(alternatives, scores[i].top.size()); k++) {
      has_own = has_own || scores[i].top[k].first == own;
      add(scores[i].top[k].first, scores[i].top[k].second, k + 1);
    }
    if (!has_own) add(own, scores[i].logprob, scores[i].rank);
    out.add(std::move(tokens).text());
  }
  return std::move(out).text();
}

}  // namespace ingle
