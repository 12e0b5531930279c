// What answers say in the words of Anthropic's Messages API.
#pragma once

#include <memory>
#include <string>

#include "server/chat_request.h"

namespace ingle {

// `model`: its name as the request has it. Without `shows_thinking` blocks of thinking have no text.
std::unique_ptr<AnswerWriter> anthropic_writer(std::string model, const ChatRequest& asked, ErrorForm errors,
                                               bool shows_thinking = true);

}  // namespace ingle
