// OpenAI's responses, as whole answers and as streams of typed events; kept for later requests when they are complete.
#pragma once

#include <boost/json.hpp>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "server/chat_request.h"
#include "server/openai_common.h"
#include "server/response_store.h"
#include "server/responses_request.h"

namespace ingle {

// What of the request is needed once it is answered.
struct ResponsesAsked {
  std::string echoed;        // JSON: an object with the fields of the request that the response repeats
  std::string conversation;  // JSON: the messages so far, as StoredResponse has them; not empty
  std::string input = "[]";  // JSON, as StoredResponse has it
  bool store = true;
  uint64_t owner = 0;
  NamespacedNames namespaced{};  // functions that the client calls otherwise than the model does
};

class ResponsesWriter final : public ChatAnswerWriter {
 public:
  ResponsesWriter(const ServedModel& model, std::shared_ptr<ResponseStore> store, ResponsesAsked asked,
                  const ChatRequest& chat);

  const char* stream_type() const override { return "text/event-stream"; }
  std::string begin(uint32_t choices) override;
  std::string failure(const ApiError& error) override;
  // Clients such as Codex count the time between events, for which a comment is none.
  std::string heartbeat() override;

 private:
  enum class Kind : uint8_t { kReasoning, kMessage, kCall };
  // Of the output. The last one may be open: in the making.
  struct Item {
    Kind kind = Kind::kMessage;
    std::string id, text;       // text: of a call the arguments
    std::string name, call_id;  // name: as the model has it
    size_t message = 0;         // of a message: how many are before it
    bool cut = false;           // of a call: as AnswerDelta has it
  };

  std::string chat_news(const ChatNews& news) override;
  std::string chat_end(const Usage& usage) override;
  std::string chat_whole(const std::vector<ChatChoice>& choices, const Usage& usage) override;

  void note_logprobs(const TokenEvent& event, const std::vector<AnswerTokens::Part>& parts);
  boost::json::array logprobs(const Item& item, size_t begin = 0) const;
  void add(Kind kind, const std::string& name = "");
  std::string say(const AnswerDelta& delta);
  std::string ensure_open(Kind kind);
  std::string open(Kind kind, const std::string& name = "");
  std::string close();
  std::string event(const std::string& type, boost::json::object fields);
  std::string response_event(const char* type, const std::string& response);
  boost::json::object place() const;
  boost::json::object part_object(const Item& item) const;
  boost::json::object item_object(const Item& item, const char* status) const;
  const char* status_of(const Item& item) const;
  void name_call(const Item& item, boost::json::object& out) const;
  const char* last_status() const;
  std::string response(const char* status, const Usage* usage, const ApiError* error) const;
  std::string finished(const Usage& usage);
  std::string said_message() const;

  const AnswerHead head_;
  const std::shared_ptr<ResponseStore> store_;
  const ResponsesAsked asked_;
  const Tokenizer* const tokenizer_;
  const bool logprobs_, tokens_as_ids_;
  uint64_t sequence_ = 0;
  std::vector<Item> items_;
  bool open_ = false;
  FinishReason finish_ = FinishReason::kNone;
  std::deque<boost::json::value> unsettled_;  // log-probabilities of the last tokens, of which nobody knows whose
  std::vector<boost::json::array> scores_;    // by message: those of its tokens
  bool in_content_ = false;                   // the last one is
  size_t messages_ = 0, said_scores_ = 0;     // said_scores_: of the last message's, those that were in deltas
};

}  // namespace ingle
