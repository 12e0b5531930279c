#include "server/key_account.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace ingle {
namespace {

ApiError over_limit(std::string message, uint32_t retry_after_seconds) {
  return {.status = 429,
          .message = std::move(message),
          .param = {},
          .code = "rate_limit_exceeded",
          .retry_after_seconds = retry_after_seconds};
}

}  // namespace

void KeyAccount::Bucket::fill(Clock::time_point now) {
  if (filled_ != Clock::time_point{} && now > filled_) {
    const std::chrono::duration<double, std::ratio<60>> minutes = now - filled_;
    level_ = std::min(per_minute_, level_ + per_minute_ * minutes.count());
  }
  filled_ = std::max(filled_, now);
}

uint32_t KeyAccount::Bucket::seconds_to(double amount) const {
  if (per_minute_ == 0 || level_ >= amount) return 0;
  const double seconds = std::ceil((amount - level_) * 60 / per_minute_);
  return static_cast<uint32_t>(std::clamp(seconds, 1.0, 86400.0));
}

std::optional<ApiError> KeyAccount::count_request(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  requests_.fill(now);
  if (const uint32_t seconds = requests_.seconds_to(1); seconds > 0) {
    return over_limit(fmt::format("the API key has {} requests per minute (try again later)", limits_.requests),
                      seconds);
  }
  requests_.draw(1);
  return std::nullopt;
}

std::optional<ApiError> KeyAccount::take(uint32_t answers, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  tokens_.fill(now);
  if (limits_.answers > 0 && answers > limits_.answers) {
    return invalid_field(
        "n", fmt::format("{} answers are asked for, the API key has {} at a time", answers, limits_.answers));
  }
  if (limits_.answers > 0 && answers > limits_.answers - answers_) {
    return over_limit(fmt::format("the API key has {} answers at a time (try again later)", limits_.answers), 0);
  }
  if (const uint32_t seconds = tokens_.seconds_to(1); seconds > 0) {
    return over_limit(fmt::format("the API key has {} tokens per minute (try again later)", limits_.tokens), seconds);
  }
  answers_ += answers;
  return std::nullopt;
}

void KeyAccount::give_back(uint32_t answers) {
  const std::lock_guard lock(mutex_);
  answers_ -= answers;
}

void KeyAccount::count_tokens(uint64_t tokens, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  tokens_.fill(now);
  tokens_.draw(static_cast<double>(tokens));
}

}  // namespace ingle
