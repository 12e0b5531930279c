// The models that a server answers with. The APIs ask by name and know nothing of how models come and go: today there
// is one engine, loaded before the server listens; src/node will bring several. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "grammar/grammars.h"
#include "server/api_error.h"
#include "server/model_library.h"
#include "server/places.h"
#include "text/chat_prompt.h"

namespace ingle {

// A loaded model and what answers need to know of it. Immutable but for the places of its requests.
struct ServedModel {
  std::string id;                    // the name that answers carry
  std::vector<std::string> aliases;  // other names that requests may use
  int64_t created = 0;               // Unix time in seconds
  std::string digest;                // SHA-256 of the file, as hexadecimal digits
  std::filesystem::path file;
  std::string fingerprint;  // of everything that decides which bits come out
  Engine* engine = nullptr;
  std::optional<ChatPrompt> chat;      // nothing if the model has no chat template
  std::unique_ptr<Grammars> grammars;  // what its answers may be held to
  std::unique_ptr<Places> places;      // for requests, by cache_owner

  // Which of its names is asked for; null if none is. NAME and NAME:latest are the same.
  const std::string* name_for(std::string_view asked) const;
  bool answers_to(std::string_view name) const { return name_for(name) != nullptr; }
};

ApiError queue_full(const ServedModel& model);

class ServedModels {
 public:
  virtual ~ServedModels() = default;
  // The model of this name; an empty name means the one model there is. Null if there is none.
  virtual std::shared_ptr<ServedModel> find(std::string_view name) = 0;
  virtual std::vector<std::shared_ptr<ServedModel>> list() = 0;
  // Those on this machine, loaded or not; null if nobody keeps any.
  virtual ModelLibrary* library() { return nullptr; }
  // False if an engine has hung.
  virtual bool healthy() const = 0;
};

inline constexpr std::string_view kLatestTag = ":latest";
// Far longer than a step takes: the largest slice of a prompt on a slow machine.
inline constexpr std::chrono::minutes kHungAfter{2};

class OneModel final : public ServedModels {
 public:
  // The library, if there is one, outlives it.
  explicit OneModel(std::shared_ptr<ServedModel> model, ModelLibrary* library = nullptr,
                    std::chrono::milliseconds hung_after = kHungAfter)
      : model_(std::move(model)), library_(library), hung_after_(hung_after) {}
  // By the model's own names, or by one that the library has for the same file.
  std::shared_ptr<ServedModel> find(std::string_view name) override;
  std::vector<std::shared_ptr<ServedModel>> list() override { return {model_}; }
  ModelLibrary* library() override { return library_; }
  bool healthy() const override;

 private:
  const std::shared_ptr<ServedModel> model_;
  ModelLibrary* const library_;
  const std::chrono::milliseconds hung_after_;
};

struct ServedModelOptions {
  std::string id;
  std::vector<std::string> aliases;
  std::string digest;  // SHA-256 of the model's file
  std::filesystem::path file;
  KvType kv_type = KvType::kF16;
  uint32_t max_open = 0;     // requests that run or wait, at most
  bool many_owners = false;  // of requests: an eighth of their places is kept for those who have none
};

// The engine must outlive it. Errors: those of the model's chat template.
Result<std::shared_ptr<ServedModel>> serve_engine(Engine& engine, ServedModelOptions options);

}  // namespace ingle
