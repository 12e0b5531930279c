// What answers say in the words of Ollama's API: lines of JSON, or one object with all of it.
#pragma once

#include <boost/json.hpp>
#include <memory>
#include <string>

#include "server/chat_request.h"

namespace ingle {

struct OllamaAnswer {
  std::string model;           // its name as the request has it
  bool is_chat = false;        // else of /api/generate
  bool tells_context = false;  // whether it says what a next request may go on from
};

std::unique_ptr<AnswerWriter> ollama_writer(std::shared_ptr<ServedModel> model, OllamaAnswer answer,
                                            const ChatRequest& asked);

// The answer that has nothing but an end, with this reason.
boost::json::object ollama_end(const OllamaAnswer& answer, const char* reason);

}  // namespace ingle
