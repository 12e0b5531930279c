// The models that a server answers with. The APIs ask by name and know nothing of how models come and go: today there
// is one engine, loaded before the server listens; src/node will bring several. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "text/chat_prompt.h"

namespace ingle {

// A loaded model and what answers need to know of it. Immutable but for the count of its open requests.
struct ServedModel {
  std::string id;                    // the name that answers carry
  std::vector<std::string> aliases;  // other names that requests may use
  int64_t created = 0;               // Unix time in seconds
  std::string fingerprint;           // of everything that decides which bits come out
  Engine* engine = nullptr;
  std::optional<ChatPrompt> chat;  // nothing if the model has no chat template
  uint32_t max_open = 0;           // requests that run or wait, at most
  std::atomic<uint32_t> open{0};

  bool answers_to(std::string_view name) const;
};

class ServedModels {
 public:
  virtual ~ServedModels() = default;
  // The model of this name; an empty name means the one model there is. Null if there is none.
  virtual std::shared_ptr<ServedModel> find(std::string_view name) = 0;
  virtual std::vector<std::shared_ptr<ServedModel>> list() = 0;
  // False if an engine has hung.
  virtual bool healthy() const = 0;
};

class OneModel final : public ServedModels {
 public:
  explicit OneModel(std::shared_ptr<ServedModel> model) : model_(std::move(model)) {}
  std::shared_ptr<ServedModel> find(std::string_view name) override;
  std::vector<std::shared_ptr<ServedModel>> list() override { return {model_}; }
  bool healthy() const override;

 private:
  const std::shared_ptr<ServedModel> model_;
};

struct ServedModelOptions {
  std::string id;
  std::vector<std::string> aliases;
  std::string digest;  // SHA-256 of the model's file
  KvType kv_type = KvType::kF16;
  uint32_t max_open = 0;
};

// The engine must outlive it. Errors: those of the model's chat template.
Result<std::shared_ptr<ServedModel>> serve_engine(Engine& engine, ServedModelOptions options);

}  // namespace ingle
