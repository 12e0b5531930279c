// The answers that one API request asks of the engine: several choices of one prompt, or of several prompts, read
// together without blocking. One thread at a time; dropping it cancels them.
#pragma once

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "engine/engine.h"
#include "server/api_error.h"
#include "server/key_account.h"
#include "server/served_model.h"

namespace ingle {

// Tokens, over all prompts and choices; a prompt counts once, however many choices continue it.
struct Usage {
  uint64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
  uint64_t reasoning_tokens = 0;            // of the completion's; counted by the writers of chats
  double prompt_ms = 0, generation_ms = 0;  // of the choice that took longest
};

class Generation {
 public:
  struct News {
    uint32_t choice = 0;
    TokenEvent event;
  };

  // Choice p * choices_per_prompt + c continues prompts[p] as its c-th answer, with everything else as in `request`,
  // whose prompt is not looked at. All of it goes on `account`, if there is one. Errors: a prompt longer than the
  // context, what Engine::submit refuses, a full queue.
  static std::variant<std::unique_ptr<Generation>, ApiError> start(std::shared_ptr<ServedModel> model,
                                                                   const Request& request,
                                                                   const std::vector<std::vector<TokenId>>& prompts,
                                                                   uint32_t choices_per_prompt,
                                                                   std::shared_ptr<KeyAccount> account);
  ~Generation();
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  // What has come since the last call, in the order of the choices.
  std::vector<News> take();
  bool finished() const { return unfinished_ == 0; }
  uint32_t choices() const { return static_cast<uint32_t>(streams_.size()); }
  // Once it is finished.
  Usage usage() const;

 private:
  Generation(std::shared_ptr<ServedModel> model, uint32_t choices_per_prompt, Places::Taken places,
             std::shared_ptr<KeyAccount> account);
  void count(uint64_t tokens);
  void give_back_places();

  const std::shared_ptr<ServedModel> model_;
  const std::shared_ptr<KeyAccount> account_;
  const uint32_t choices_per_prompt_;
  Places::Taken places_;
  uint32_t answers_ = 0;  // that the account counts
  std::vector<std::unique_ptr<TokenStream>> streams_;
  std::vector<bool> finished_;  // by choice
  uint32_t unfinished_ = 0;
};

}  // namespace ingle
