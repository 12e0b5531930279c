// For tests: constraints over the toy model's letters. `on_mask`, if set, is called before every mask with the tokens
// so far, and may take its time.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <utility>

#include "engine/constraint.h"
#include "engine/toy_world_test.h"

namespace ingle {

// Where masks wait until the test lets them go on.
class Gate {
 public:
  void wait() const { opened_.wait(); }
  void open() { open_.set_value(); }

 private:
  std::promise<void> open_;
  const std::shared_future<void> opened_ = open_.get_future().share();
};

// Nobody's patience ends, but that of a test that hangs.
inline EngineLoopOptions patient(const SchedulerOptions& scheduler = {.pages = 64}) {
  return {.vocab = kVocab,
          .context = std::min(1024u, scheduler.pages * kPageTokens),
          .scheduler = scheduler,
          .mask_patience = std::chrono::milliseconds(60'000)};
}

using OnMask = std::function<void(const Tokens& tokens)>;

// Words whose letters rise in the alphabet. They may end from `shortest` letters on, and have to after z.
class Rising final : public Constraint {
 public:
  explicit Rising(size_t shortest, OnMask on_mask = nullptr) : shortest_(shortest), on_mask_(std::move(on_mask)) {}

  std::unique_ptr<Constraint> clone() const override { return std::make_unique<Rising>(*this); }
  Status accept(TokenId token) override {
    if (token <= last()) return Error{ErrorCode::kInternal, "out of order", ""};
    tokens_.push_back(token);
    return {};
  }
  Status rollback(uint32_t tokens) override {
    tokens_.resize(tokens_.size() - tokens);
    return {};
  }
  Status allowed(std::span<uint32_t> mask) override {
    if (on_mask_) on_mask_(tokens_);
    std::fill(mask.begin(), mask.end(), 0);
    for (TokenId id = last() + 1; id < static_cast<TokenId>(kVocab); id++) mask[id / 32] |= 1u << (id % 32);
    if (tokens_.size() >= shortest_ || last() + 1 == static_cast<TokenId>(kVocab)) mask[0] |= 1u << kEos;
    return {};
  }

 private:
  TokenId last() const { return tokens_.empty() ? kEos : tokens_.back(); }

  size_t shortest_;
  OnMask on_mask_;
  Tokens tokens_;
};

// What may come next depends on all that came before: one wrong token, and it is another word.
class Winding final : public Constraint {
 public:
  explicit Winding(OnMask on_mask = nullptr) : on_mask_(std::move(on_mask)) {}

  std::unique_ptr<Constraint> clone() const override { return std::make_unique<Winding>(*this); }
  Status accept(TokenId token) override {
    if ((allowed() >> token & 1) == 0) return Error{ErrorCode::kInternal, "not allowed", ""};
    tokens_.push_back(token);
    return {};
  }
  Status rollback(uint32_t tokens) override {
    if (tokens > tokens_.size()) return Error{ErrorCode::kInternal, "more than there are", ""};
    tokens_.resize(tokens_.size() - tokens);
    return {};
  }
  Status allowed(std::span<uint32_t> mask) override {
    if (on_mask_) on_mask_(tokens_);
    mask[0] = allowed();
    return {};
  }

 private:
  uint32_t allowed() const {
    uint32_t sum = 1;
    for (const TokenId token : tokens_) sum = sum * 3 + static_cast<uint32_t>(token);
    if (sum % 7 == 0) return tokens_.size() > 30 ? 0b0101 : 0b0100;
    return sum % 11 == 0 ? 0b0110 : 0b1110;
  }

  OnMask on_mask_;
  Tokens tokens_;
};

}  // namespace ingle
