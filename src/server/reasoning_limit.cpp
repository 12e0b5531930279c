#include "server/reasoning_limit.h"

#include <algorithm>
#include <string>
#include <utility>

#include "text/json_scanner.h"

namespace ingle {
namespace {

void allow_all(std::span<uint32_t> mask, uint32_t vocab) {
  std::fill(mask.begin(), mask.end(), ~uint32_t{0});
  if (vocab % 32 != 0) mask.back() = (uint32_t{1} << (vocab % 32)) - 1;
}

// How much of a mark the text ends with, one byte after it ended with so much of it.
size_t matched_after(std::string_view mark, size_t matched, char byte) {
  std::string text(mark.substr(0, matched));
  text += byte;
  while (!mark.starts_with(text)) text.erase(0, 1);
  return text.size();
}

class LimitedReasoning final : public Constraint {
 public:
  LimitedReasoning(std::shared_ptr<const ReasoningLimit> limit, std::unique_ptr<Constraint> inner)
      : limit_(std::move(limit)), inner_(std::move(inner)) {
    states_.push_back({.phase = limit_->in_reasoning ? Phase::kIn : Phase::kBefore});
  }

  std::unique_ptr<Constraint> clone() const override {
    auto out = std::make_unique<LimitedReasoning>(limit_, inner_ != nullptr ? inner_->clone() : nullptr);
    out->states_ = states_;
    return out;
  }

  // The inner one comes last: it may be at work for longer than there is a tokenizer.
  Status accept(TokenId token) override {
    states_.push_back(after(states_.back(), token));
    return inner_ != nullptr ? inner_->accept(token) : Status();
  }

  Status rollback(uint32_t tokens) override {
    states_.resize(states_.size() - tokens);
    return inner_ != nullptr ? inner_->rollback(tokens) : Status();
  }

  Status allowed(std::span<uint32_t> mask) override {
    if (inner_ != nullptr) {
      RETURN_IF_ERROR(inner_->allowed(mask));
    } else {
      allow_all(mask, limit_->vocab);
    }
    const State& state = states_.back();
    if (!writes(state) || !mask_has(mask, limit_->end[state.written])) return {};
    const auto id = static_cast<uint32_t>(limit_->end[state.written]);
    std::fill(mask.begin(), mask.end(), 0);
    mask[id / 32] = uint32_t{1} << (id % 32);
    return {};
  }

 private:
  enum class Phase : uint8_t { kBefore, kIn, kOver };  // of the reasoning; also over if there is none
  struct State {
    Phase phase = Phase::kBefore;
    uint32_t matched = 0;  // bytes of the mark that is looked for
    uint32_t used = 0;     // tokens of reasoning
    uint32_t written = 0;  // tokens of the end
  };

  // Whether the next token is the end's. One that was begun is written out, behind the closing mark too.
  bool writes(const State& state) const {
    if (state.written > 0) return state.written < limit_->end.size();
    return state.phase == Phase::kIn && state.used >= limit_->tokens && !limit_->end.empty();
  }

  State after(State state, TokenId token) const {
    if (writes(state)) state.written = token == limit_->end[state.written] ? state.written + 1 : 0;
    if (is_shown(token)) {
      for (const char byte : limit_->tokenizer->token_bytes(token)) read(state, byte);
    }
    if (state.phase == Phase::kIn) state.used++;
    return state;
  }

  bool is_shown(TokenId token) const {
    const std::vector<TokenId>& marks = limit_->syntax.reasoning_tokens;
    return !limit_->tokenizer->is_control(token) || std::find(marks.begin(), marks.end(), token) != marks.end();
  }

  // As AnswerParser has it: reasoning is what an answer begins with.
  void read(State& state, char byte) const {
    if (state.phase == Phase::kOver) return;
    const bool before = state.phase == Phase::kBefore;
    if (before && state.matched == 0 && is_json_space(byte)) return;
    const std::string& mark = before ? limit_->syntax.reasoning_open : limit_->syntax.reasoning_close;
    const size_t matched = matched_after(mark, state.matched, byte);
    if (before && matched <= state.matched) {
      state.phase = Phase::kOver;
    } else if (matched == mark.size()) {
      state.phase = before ? Phase::kIn : Phase::kOver;
      state.matched = 0;
    } else {
      state.matched = static_cast<uint32_t>(matched);
    }
  }

  const std::shared_ptr<const ReasoningLimit> limit_;
  const std::unique_ptr<Constraint> inner_;
  std::vector<State> states_;  // before each token, and now
};

}  // namespace

std::shared_ptr<const ReasoningLimit> reasoning_limit(uint32_t tokens, const Tokenizer& tokenizer, uint32_t vocab,
                                                      const AnswerParserOptions& reading) {
  if (reading.syntax.reasoning_open.empty()) return nullptr;
  return std::make_shared<ReasoningLimit>(
      ReasoningLimit{.tokens = tokens,
                     .end = tokenizer.encode(reading.syntax.reasoning_close + "\n\n", {.add_special = false}),
                     .syntax = reading.syntax,
                     .in_reasoning = reading.in_reasoning,
                     .tokenizer = &tokenizer,
                     .vocab = vocab});
}

std::shared_ptr<const Constraint> with_reasoning_limit(std::shared_ptr<const ReasoningLimit> limit,
                                                       std::shared_ptr<const Constraint> inner) {
  if (limit == nullptr) return inner;
  return std::make_shared<LimitedReasoning>(std::move(limit), inner != nullptr ? inner->clone() : nullptr);
}

}  // namespace ingle
