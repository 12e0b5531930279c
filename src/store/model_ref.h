// The name of a model in the store: NAME or NAME:TAG, as in qwen2.5-coder:1.5b. Names come from users and become file
// names, so that a ModelRef can only be made by parse(), which leaves nothing that could walk out of the store's
// folder.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace ingle {

class ModelRef {
 public:
  static constexpr std::string_view kDefaultTag = "latest";
  static constexpr size_t kMaxNameBytes = 100;  // of the name, and of the tag

  // Letters, digits, '.', '_' and '-', beginning with a letter or digit; capitals are folded, so that two names never
  // differ by case alone (some file systems could not hold both). Errors: kInvalidArgument.
  static Result<ModelRef> parse(std::string_view text);

  // A valid name made from the stem of a file name: "SmolLM2 135M-00001-of-00002.gguf" gives "smollm2-135m".
  // Errors: kInvalidArgument if nothing usable is left.
  static Result<ModelRef> from_file_name(std::string_view file_name);

  const std::string& name() const { return name_; }
  const std::string& tag() const { return tag_; }
  // "name:tag"; without the tag if it is the default.
  std::string to_string() const;

  friend bool operator==(const ModelRef&, const ModelRef&) = default;
  friend auto operator<=>(const ModelRef&, const ModelRef&) = default;

 private:
  ModelRef(std::string name, std::string tag) : name_(std::move(name)), tag_(std::move(tag)) {}
  std::string name_, tag_;
};

}  // namespace ingle
