#include "server/served_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "base/hex.h"
#include "server/digest.h"

namespace ingle {
namespace {

// Raised whenever the same model and request could give other bits than before (docs/numerics.md).
constexpr int kNumericsVersion = 1;

const char* kv_name(KvType type) {
  switch (type) {
    case KvType::kF16:
      return "f16";
    case KvType::kQ8_0:
      return "q8_0";
    case KvType::kF32:
      return "f32";
  }
  return "";
}

std::string_view without_latest(std::string_view name) {
  if (name.ends_with(kLatestTag)) name.remove_suffix(kLatestTag.size());
  return name;
}

}  // namespace

const std::string* ServedModel::name_for(std::string_view asked) const {
  const auto is_asked = [name = without_latest(asked)](const std::string& own) { return without_latest(own) == name; };
  if (is_asked(id)) return &id;
  const auto alias = std::find_if(aliases.begin(), aliases.end(), is_asked);
  return alias == aliases.end() ? nullptr : &*alias;
}

ApiError queue_full(const ServedModel& model) {
  return {.status = 429,
          .message = fmt::format("{} requests are running or waiting already (try again later)", model.places->taken()),
          .param = {},
          .code = "queue_full"};
}

std::shared_ptr<ServedModel> OneModel::find(std::string_view name) {
  if (name.empty() || model_->answers_to(name)) return model_;
  if (library_ == nullptr) return nullptr;
  const Result<LibraryModel> kept = library_->find(std::string(name));
  return kept.ok() && kept->digest == model_->digest ? model_ : nullptr;
}

bool OneModel::healthy() const { return model_->engine->stalled_for() < hung_after_; }

Result<std::shared_ptr<ServedModel>> serve_engine(Engine& engine, ServedModelOptions options) {
  auto model = std::make_shared<ServedModel>();
  model->id = std::move(options.id);
  for (std::string& alias : options.aliases) {
    if (!model->answers_to(alias)) model->aliases.push_back(std::move(alias));
  }
  model->created = static_cast<int64_t>(std::time(nullptr));
  model->engine = &engine;
  model->places = std::make_unique<Places>(options.max_open, options.many_owners ? options.max_open / 8 : 0);
  model->grammars = std::make_unique<Grammars>(engine.tokenizer(), engine.info().vocab);
  const std::string decides = fmt::format("{} {} {}", options.digest, kv_name(options.kv_type), kNumericsVersion);
  model->digest = std::move(options.digest);
  model->file = std::move(options.file);
  model->fingerprint = "fp_" + to_hex(sha256(decides)).substr(0, 16);
  if (!engine.info().chat_template.empty()) {
    ASSIGN_OR_RETURN(model->chat, ChatPrompt::create(engine.info().chat_template, engine.tokenizer()));
  }
  return model;
}

}  // namespace ingle
