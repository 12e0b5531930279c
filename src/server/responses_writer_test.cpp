#include "server/responses_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "server/answer_events_test.h"
#include "text/piece_tokenizer_test.h"

namespace ingle {
namespace {

namespace json = boost::json;

class ResponsesWriterTest : public ::testing::Test {
 protected:
  ResponsesWriterTest() { model.id = "m"; }

  ResponsesWriter writer(bool kept = true) {
    return {model, store, {.echoed = "{\"tools\":[]}", .conversation = "[{}]", .store = kept, .owner = 3}, chat};
  }

  // The events of a stream, whose numbers must rise by one.
  static std::vector<json::object> events(const std::string& stream) {
    std::vector<json::object> out;
    size_t at = 0;
    for (size_t end; (end = stream.find("\n\n", at)) != std::string::npos; at = end + 2) {
      const std::string block = stream.substr(at, end - at);
      out.push_back(json::parse(block.substr(block.find("\ndata: ") + 7)).as_object());
      EXPECT_EQ(out.back()["sequence_number"].to_number<size_t>(), out.size() - 1);
      EXPECT_EQ(block.substr(0, block.find('\n')), "event: " + std::string(out.back()["type"].as_string()));
    }
    EXPECT_EQ(at, stream.size());
    return out;
  }

  // The letters r, m, c for the items, and i where one is incomplete.
  static std::string shape(const json::value& response) {
    std::string out;
    for (const json::value& item : response.at("output").as_array()) {
      out += item.at("type") == "reasoning" ? 'r' : item.at("type") == "message" ? 'm' : 'c';
      if (item.at("status") == "incomplete") out += 'i';
    }
    return out;
  }

  ChatRequest chat = chat_with_tools();
  ServedModel model;
  std::shared_ptr<ResponseStore> store = std::make_shared<ResponseStore>();
};

constexpr const char* kAnswer =
    "<think>why</think>so <tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</tool_call>"
    "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>";

TEST_F(ResponsesWriterTest, AStreamOfReasoningTextAndCalls) {
  ResponsesWriter stream = writer();
  std::string said = stream.begin(1);
  for (const char* c = kAnswer; *c != '\0'; c++) said += stream.news(0, answer_event(std::string(1, *c)));
  said += stream.news(0, answer_event("", FinishReason::kStop));
  said += stream.end({});
  const std::vector<json::object> all = events(said);
  EXPECT_EQ(all.front().at("type"), "response.created");
  EXPECT_EQ(all.back().at("type"), "response.completed");
  const json::value& response = all.back().at("response");
  EXPECT_EQ(shape(response), "rmcc");

  // Each item is begun, said and ended, one after the other, and the last word on it is what the response has.
  std::vector<std::string> text(4);
  std::set<std::string> ids;
  int64_t begun = -1, ended = -1;
  for (const json::object& one : all) {
    const std::string type(one.at("type").as_string());
    if (!one.contains("output_index")) continue;
    const int64_t index = one.at("output_index").to_number<int64_t>();
    if (type == "response.output_item.added") {
      EXPECT_EQ(begun, ended);
      EXPECT_EQ(index, ++begun);
      ids.insert(std::string(one.at("item").at("id").as_string()));
    }
    EXPECT_EQ(index, begun);
    if (one.contains("item_id")) {
      EXPECT_TRUE(ids.contains(std::string(one.at("item_id").as_string())));
    }
    if (one.contains("delta")) text[static_cast<size_t>(index)] += one.at("delta").as_string();
    if (type == "response.output_item.done") {
      ended = index;
      EXPECT_EQ(one.at("item"), response.at("output").at(static_cast<size_t>(index)));
    }
  }
  EXPECT_EQ(ended, 3);
  EXPECT_EQ(ids.size(), 4u);
  const json::array& output = response.at("output").as_array();
  EXPECT_EQ(text[0], output[0].at("content").at(0).at("text").as_string());
  EXPECT_EQ(text[1], output[1].at("content").at(0).at("text").as_string());
  EXPECT_EQ(text[2], output[2].at("arguments").as_string());
  EXPECT_EQ(text[3], output[3].at("arguments").as_string());
  EXPECT_EQ(output[2].at("name"), "f");
  EXPECT_NE(output[2].at("call_id"), output[3].at("call_id"));
}

TEST_F(ResponsesWriterTest, AHeartbeatIsAnEventLikeTheSecond) {
  ResponsesWriter stream = writer();
  std::string said = stream.begin(1);
  said += stream.heartbeat();
  said += stream.news(0, answer_event("so"));
  said += stream.heartbeat();
  said += stream.news(0, answer_event(" it", FinishReason::kStop));
  said += stream.end({});
  std::vector<json::object> all = events(said);
  EXPECT_EQ(shape(all.back().at("response")), "m");
  for (json::object& one : all) one["sequence_number"] = 0;
  EXPECT_EQ(all[1].at("type"), "response.in_progress");
  EXPECT_EQ(all[2], all[1]);
  EXPECT_EQ(std::count(all.begin(), all.end(), all[1]), 3);
}

TEST_F(ResponsesWriterTest, AWholeResponseHasTheSameItems) {
  ResponsesWriter whole = writer();
  const json::value response = json::parse(whole.whole({answer_event(kAnswer, FinishReason::kStop)}, {}));
  EXPECT_EQ(shape(response), "rmcc");
  EXPECT_EQ(response.at("status"), "completed");
  EXPECT_EQ(json::parse(response.at("output").at(2).at("arguments").as_string()), json::parse("{\"a\":1}"));
  ResponsesWriter empty = writer();
  EXPECT_EQ(shape(json::parse(empty.whole({answer_event("", FinishReason::kStop)}, {}))), "m");
  ResponsesWriter cut = writer();
  const json::value shorter = json::parse(cut.whole({answer_event("<think>a</think>b", FinishReason::kLength)}, {}));
  EXPECT_EQ(shape(shorter), "rmi");
  EXPECT_EQ(shorter.at("incomplete_details").at("reason"), "max_output_tokens");
}

TEST_F(ResponsesWriterTest, AWholeResponseKeepsTheOrderOfTextAndCalls) {
  const char* answer =
      "One.<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>Two."
      "<tool_call>{\"name\": \"g\", \"arguments\": {}}</tool_call>";
  ResponsesWriter whole = writer(), stream = writer();
  const json::value response = json::parse(whole.whole({answer_event(answer, FinishReason::kStop)}, {}));
  EXPECT_EQ(shape(response), "mcmc");
  EXPECT_EQ(response.at("output").at(2).at("content").at(0).at("text"), "Two.");
  std::string said = stream.begin(1);
  said += stream.news(0, answer_event(answer, FinishReason::kStop));
  said += stream.end({});
  EXPECT_EQ(shape(events(said).back().at("response")), "mcmc");
}

TEST_F(ResponsesWriterTest, WhatIsKeptIsTheConversationWithTheAnswer) {
  ResponsesWriter whole = writer();
  const std::string body = whole.whole({answer_event(kAnswer, FinishReason::kStop)}, {});
  const json::value response = json::parse(body);
  const auto kept = store->get(3, std::string(response.at("id").as_string()));
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->body, body);
  const json::array messages = json::parse(kept->conversation).as_array();
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[1].at("role"), "assistant");
  EXPECT_EQ(messages[1].at("tool_calls").as_array().size(), 2u);
  EXPECT_EQ(messages[1].at("tool_calls").at(0).at("id"), response.at("output").at(2).at("call_id"));
  EXPECT_EQ(kept->conversation.find("why"), std::string::npos);
  ResponsesWriter other = writer(false);
  const json::value not_kept = json::parse(other.whole({answer_event("x", FinishReason::kStop)}, {}));
  EXPECT_FALSE(store->get(3, std::string(not_kept.at("id").as_string())));
}

TEST_F(ResponsesWriterTest, FunctionsOfANamespaceAreCalledAsTheClientKnowsThem) {
  const auto namespaced = [&] {
    return ResponsesWriter(model, store,
                           {.echoed = "{\"tools\":[]}",
                            .conversation = "[{}]",
                            .owner = 3,
                            .namespaced = {{"f", {.space = "mcp__x", .name = "short"}}}},
                           chat);
  };
  const char* answer =
      "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>"
      "<tool_call>{\"name\": \"g\", \"arguments\": {}}</tool_call>";
  ResponsesWriter writer = namespaced();
  const json::value whole = json::parse(writer.whole({answer_event(answer, FinishReason::kStop)}, {}));
  const json::object& call = whole.at("output").at(0).as_object();
  EXPECT_EQ(call.at("namespace"), "mcp__x");
  EXPECT_EQ(call.at("name"), "short");
  EXPECT_EQ(whole.at("output").at(1).at("name"), "g");
  EXPECT_FALSE(whole.at("output").at(1).as_object().contains("namespace"));
  // The conversation goes on with the name that the model knows.
  const auto kept = store->get(3, std::string(whole.at("id").as_string()));
  ASSERT_TRUE(kept);
  EXPECT_EQ(json::parse(kept->conversation).at(1).at("tool_calls").at(0).at("function").at("name"), "f");

  ResponsesWriter stream = namespaced();
  std::string said = stream.begin(1);
  said += stream.news(0, answer_event(answer));
  said += stream.news(0, answer_event("", FinishReason::kStop));
  said += stream.end({});
  size_t items = 0;
  for (const json::object& one : events(said)) {
    if (!one.contains("item") || one.at("output_index").to_number<int>() != 0) continue;
    items++;
    EXPECT_EQ(one.at("item").at("namespace"), "mcp__x") << one.at("type");
    EXPECT_EQ(one.at("item").at("name"), "short") << one.at("type");
  }
  EXPECT_EQ(items, 2u) << "added and done";
}

TEST_F(ResponsesWriterTest, AFailureEndsTheStream) {
  ResponsesWriter stream = writer();
  std::string said = stream.begin(1);
  said += stream.news(0, answer_event("so"));
  said += stream.failure(shutting_down());
  const std::vector<json::object> all = events(said);
  EXPECT_EQ(all.back().at("type"), "response.failed");
  EXPECT_EQ(all.back().at("response").at("error").at("code"), "server_error");
  const std::vector<json::object> full =
      events(writer().failure({.status = 429, .message = "x", .param = {}, .code = {}}));
  EXPECT_EQ(full.back().at("response").at("error").at("code"), "rate_limit_exceeded");
}

// "a-1 b-2": the tokens with their log-probabilities.
std::string scores(const json::value& logprobs) {
  std::string out;
  for (const json::value& token : logprobs.as_array()) {
    if (!out.empty()) out += ' ';
    out += std::string(token.at("token").as_string()) + std::to_string(token.at("logprob").to_number<int>());
    EXPECT_EQ(token.at("top_logprobs").at(0).at("token"), token.at("token"));
    EXPECT_FALSE(token.at("bytes").as_array().empty());
  }
  return out;
}

TEST_F(ResponsesWriterTest, EachMessageHasTheLogprobsOfItsTokens) {
  const std::vector<std::string> answer = {
      "<think>",         "hm", "</think>",     "so", " ",    "it", "\n", "<tool_call>",
      "{\"name\":\"f\"", "}",  "</tool_call>", "is", "<eos>"};
  const std::unique_ptr<Tokenizer> tokenizer = tokenizer_of(answer);
  chat.tokenizer = tokenizer.get();
  chat.generation.request.logprobs = true;
  const TokenEvent all = tokens_event(*tokenizer, answer, FinishReason::kStop);
  const json::value whole = json::parse(writer().whole({all}, {}));
  EXPECT_EQ(shape(whole), "rmcm");
  EXPECT_EQ(scores(whole.at("output").at(1).at("content").at(0).at("logprobs")), "so-4  -5 it-6");
  EXPECT_EQ(scores(whole.at("output").at(3).at("content").at(0).at("logprobs")), "is-12");

  ResponsesWriter stream = writer();
  std::string said = stream.begin(1);
  for (size_t i = 0; i < answer.size(); i++) {
    TokenEvent event =
        tokens_event(*tokenizer, {answer[i]}, i + 1 < answer.size() ? FinishReason::kNone : FinishReason::kStop);
    event.logprobs[0] = -static_cast<float>(i + 1);
    said += stream.news(0, event);
  }
  said += stream.end({});
  const std::vector<json::object> told = events(said);
  const json::value& response = told.back().at("response");
  EXPECT_EQ(shape(response), "rmcm");
  std::string deltas;
  for (const json::object& one : told) {
    const size_t index = one.contains("output_index") ? one.at("output_index").to_number<size_t>() : 0;
    if (one.at("type") == "response.output_text.delta") deltas += "(" + scores(one.at("logprobs")) + ")";
    if (one.at("type") == "response.output_text.done") {
      const json::value& part = response.at("output").at(index).at("content").at(0);
      EXPECT_EQ(one.at("logprobs"), part.at("logprobs"));
      deltas += "[" + scores(part.at("logprobs")) + "]";
    }
  }
  EXPECT_EQ(deltas, "(so-4)( -5 it-6)[so-4  -5 it-6](is-12)[is-12]");
}

TEST_F(ResponsesWriterTest, LogprobsAreForThoseWhoAsk) {
  const std::unique_ptr<Tokenizer> tokenizer = tokenizer_of({"so"});
  chat.tokenizer = tokenizer.get();
  const json::value whole = json::parse(writer().whole({tokens_event(*tokenizer, {"so"}, FinishReason::kStop)}, {}));
  EXPECT_TRUE(whole.at("output").at(0).at("content").at(0).at("logprobs").as_array().empty());
}

}  // namespace
}  // namespace ingle
