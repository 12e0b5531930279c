// What the owner of one API key may use, and has used: answers at the same time, requests and tokens per minute. The
// rates are buckets that fill evenly and hold a minute's worth. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

#include "server/api_error.h"

namespace ingle {

// 0: no limit.
struct KeyLimits {
  uint32_t answers = 0;   // that run or wait
  uint32_t requests = 0;  // per minute
  uint32_t tokens = 0;    // per minute: of prompts, each counted once, and of answers
  bool any() const { return answers > 0 || requests > 0 || tokens > 0; }
};

class KeyAccount {
 public:
  using Clock = std::chrono::steady_clock;

  explicit KeyAccount(const KeyLimits& limits) : limits_(limits), requests_(limits.requests), tokens_(limits.tokens) {}

  // Counts a request; an error with status 429 if there have been too many.
  std::optional<ApiError> count_request(Clock::time_point now);
  // Takes the places of `answers` until give_back(), or says why not; 429 unless it can never be (400).
  std::optional<ApiError> take(uint32_t answers, Clock::time_point now);
  void give_back(uint32_t answers);
  // What an answer took. It is known afterwards only, so the bucket may fall below nothing; then it has to fill first.
  void count_tokens(uint64_t tokens, Clock::time_point now);

 private:
  class Bucket {
   public:
    explicit Bucket(uint32_t per_minute) : per_minute_(per_minute), level_(per_minute) {}
    void fill(Clock::time_point now);
    void draw(double amount) { level_ -= amount; }
    // Until there is as much; 0 if there is, or if there is no limit.
    uint32_t seconds_to(double amount) const;

   private:
    const double per_minute_;
    double level_;
    Clock::time_point filled_{};
  };

  const KeyLimits limits_;
  std::mutex mutex_;  // of what follows
  Bucket requests_, tokens_;
  uint32_t answers_ = 0;
};

}  // namespace ingle
