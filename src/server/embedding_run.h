// The embeddings that one API request asks of the engine: any number of texts, a few of them in the engine at a time,
// so that a long list does not fill the queue that others wait in. One thread at a time; dropping it cancels them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "engine/engine.h"
#include "server/api_error.h"
#include "server/key_account.h"
#include "server/served_model.h"

namespace ingle {

inline constexpr size_t kMaxEmbeddingInputs = 2048;  // of a request, as OpenAI has it

class EmbeddingRun {
 public:
  // One embedding for each of `inputs`, by request.embedding; request.prompt is not looked at. All of it goes on
  // `account`, if there is one, as one answer. Errors: an input without tokens or longer than the context, what
  // Engine::submit refuses, a full queue.
  static std::variant<std::unique_ptr<EmbeddingRun>, ApiError> start(std::shared_ptr<ServedModel> model,
                                                                     const Request& request,
                                                                     std::vector<std::vector<TokenId>> inputs,
                                                                     std::shared_ptr<KeyAccount> account);
  ~EmbeddingRun();
  EmbeddingRun(const EmbeddingRun&) = delete;
  EmbeddingRun& operator=(const EmbeddingRun&) = delete;

  // Takes what has come and sends off what comes next; never blocks. An error ends the run.
  std::optional<ApiError> advance();
  bool finished() const { return done_ == inputs_.size(); }
  // By input; once it is finished.
  const std::vector<std::vector<float>>& vectors() const { return vectors_; }
  uint64_t prompt_tokens() const { return prompt_tokens_; }

 private:
  EmbeddingRun(std::shared_ptr<ServedModel> model, const Request& request, std::vector<std::vector<TokenId>> inputs,
               uint32_t at_once, Places::Taken places, std::shared_ptr<KeyAccount> account);
  std::optional<ApiError> send_next();
  void give_back_places();

  struct Open {
    size_t input = 0;
    std::unique_ptr<TokenStream> stream;
  };

  const std::shared_ptr<ServedModel> model_;
  const std::shared_ptr<KeyAccount> account_;
  const Request request_;
  const uint32_t at_once_;  // inputs, at most
  Places::Taken places_;    // as many
  uint32_t answers_ = 1;    // that the account counts
  std::vector<std::vector<TokenId>> inputs_;
  std::vector<std::vector<float>> vectors_;
  std::vector<Open> open_;
  size_t sent_ = 0, done_ = 0;
  uint64_t prompt_tokens_ = 0;
};

// Cuts a text's tokens to `limit`: off its end, but for the token that the model wants there.
void truncate_embedding_input(std::vector<TokenId>& tokens, uint32_t limit, const Tokenizer& tokenizer);

}  // namespace ingle
