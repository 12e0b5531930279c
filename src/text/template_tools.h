// What a chat template does with tools, found out by rendering a few small conversations when the model is loaded, and
// conversations made ready for it. Immutable; any thread.
#pragma once

#include "text/chat_template.h"

namespace ingle {

class TemplateTools {
 public:
  // `variables` are the model's own, as every rendering gets them.
  static TemplateTools probe(const ChatTemplate& chat_template,
                             const std::vector<std::pair<std::string, jinja::Value>>& variables);

  // Do the tools of a request come to be in the prompt by the template's own words?
  bool lists_tools() const { return lists_tools_; }

  // Messages and tools as Hugging Face's templates have them, with arguments of calls as objects, become what this
  // template takes: arguments as JSON text, ids of nine characters. A template that knows no tools gets them in words:
  // the list of them in the system message, calls and their results as text. Errors: kInvalidArgument.
  Status prepare(ChatInput& input) const;

 private:
  void prepare_calls(ChatInput& input) const;
  void put_in_words(ChatInput& input) const;

  bool lists_tools_ = false;
  bool takes_system_ = false;
  bool object_arguments_ = true;
  bool short_ids_ = false;
};

}  // namespace ingle
