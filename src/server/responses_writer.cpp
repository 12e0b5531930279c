#include "server/responses_writer.h"

#include <algorithm>
#include <utility>

#include "server/digest.h"
#include "server/json_text.h"
#include "text/json_value.h"

namespace ingle {

namespace json = boost::json;

namespace {

json::object reasoning_part(const std::string& text) { return {{"type", "reasoning_text"}, {"text", text}}; }

json::object text_part(const std::string& text, json::array logprobs) {
  return {{"type", "output_text"}, {"text", text}, {"annotations", json::array()}, {"logprobs", std::move(logprobs)}};
}

json::object usage_object(const Usage& usage) {
  json::object out;
  out["input_tokens"] = usage.prompt_tokens;
  // Nothing is written to the cache for a price.
  out["input_tokens_details"] = json::object{{"cached_tokens", usage.cached_tokens}, {"cache_write_tokens", 0}};
  out["output_tokens"] = usage.completion_tokens;
  out["output_tokens_details"] = json::object{{"reasoning_tokens", usage.reasoning_tokens}};
  out["total_tokens"] = usage.prompt_tokens + usage.completion_tokens;
  return out;
}

}  // namespace

ResponsesWriter::ResponsesWriter(const ServedModel& model, std::shared_ptr<ResponseStore> store, ResponsesAsked asked,
                                 const ChatRequest& chat)
    : ChatAnswerWriter(chat, chat.generation.request.logprobs),
      head_(model, "resp_"),
      store_(std::move(store)),
      asked_(std::move(asked)),
      tokenizer_(chat.tokenizer),
      logprobs_(chat.generation.request.logprobs && chat.tokenizer != nullptr),
      tokens_as_ids_(chat.generation.tokens_as_ids) {}

std::string ResponsesWriter::event(const std::string& type, json::object fields) {
  fields["type"] = type;
  fields["sequence_number"] = sequence_++;
  return "event: " + type + "\ndata: " + json::serialize(fields) + "\n\n";
}

std::string ResponsesWriter::response_event(const char* type, const std::string& response) {
  json::object fields{{"type", type}, {"sequence_number", sequence_++}};
  return std::string("event: ") + type + "\ndata: " + with_field(json::serialize(fields), "response", response) +
         "\n\n";
}

std::string ResponsesWriter::begin(uint32_t) {
  std::string out = response_event("response.created", response("in_progress", nullptr, nullptr));
  out += heartbeat();
  return out;
}

std::string ResponsesWriter::heartbeat() {
  return response_event("response.in_progress", response("in_progress", nullptr, nullptr));
}

std::string ResponsesWriter::chat_news(const ChatNews& news) {
  note_logprobs(news.event, news.parts);
  std::string out;
  for (const AnswerDelta& delta : news.deltas) out += say(delta);
  finish_ = news.event.finish;
  return out;
}

// Tokens of content that follow each other are those of one message.
void ResponsesWriter::note_logprobs(const TokenEvent& event, const std::vector<AnswerTokens::Part>& parts) {
  if (!logprobs_) return;
  for (json::value& token : chat_logprobs(*tokenizer_, event, tokens_as_ids_)) unsettled_.push_back(std::move(token));
  for (const AnswerTokens::Part part : parts) {
    if (unsettled_.empty()) return;  // the token that ended the answer is not said
    const bool content = part == AnswerTokens::Part::kContent;
    if (content && !std::exchange(in_content_, true)) scores_.emplace_back();
    if (content) scores_.back().push_back(std::move(unsettled_.front()));
    in_content_ = content;
    unsettled_.pop_front();
  }
}

// Those of the item, which is a message, from the `begin`th on.
json::array ResponsesWriter::logprobs(const Item& item, size_t begin) const {
  if (item.message >= scores_.size()) return {};
  const json::array& all = scores_[item.message];
  return json::array(all.begin() + static_cast<ptrdiff_t>(std::min(begin, all.size())), all.end());
}

std::string ResponsesWriter::say(const AnswerDelta& delta) {
  using DeltaKind = AnswerDelta::Kind;
  if (delta.kind == DeltaKind::kCallBegin) return open(Kind::kCall, delta.text);
  if (delta.kind == DeltaKind::kCallEnd) {
    items_.back().cut = delta.cut;
    return close();
  }
  if (delta.text.empty()) return "";
  std::string out, type = "response.function_call_arguments.delta";
  if (delta.kind != DeltaKind::kCallArguments) {
    const bool reasoning = delta.kind == DeltaKind::kReasoning;
    out = ensure_open(reasoning ? Kind::kReasoning : Kind::kMessage);
    type = reasoning ? "response.reasoning_text.delta" : "response.output_text.delta";
  }
  items_.back().text += delta.text;
  json::object fields = place();
  fields["delta"] = delta.text;
  if (items_.back().kind == Kind::kMessage) {
    json::array scores = logprobs(items_.back(), said_scores_);
    said_scores_ += scores.size();
    fields["logprobs"] = std::move(scores);
  }
  return out + event(type, std::move(fields));
}

std::string ResponsesWriter::ensure_open(Kind kind) { return open_ && items_.back().kind == kind ? "" : open(kind); }

void ResponsesWriter::add(Kind kind, const std::string& name) {
  const char* prefix = kind == Kind::kCall ? "fc_" : kind == Kind::kMessage ? "msg_" : "rs_";
  items_.push_back({.kind = kind, .id = prefix + random_id(), .text = "", .name = name, .call_id = ""});
  if (kind == Kind::kCall) items_.back().call_id = "call_" + random_id();
  if (kind == Kind::kMessage) items_.back().message = messages_++;
  said_scores_ = 0;
}

std::string ResponsesWriter::open(Kind kind, const std::string& name) {
  std::string out = close();
  add(kind, name);
  open_ = true;
  json::object item = item_object(items_.back(), "in_progress");
  if (kind != Kind::kCall) item["content"] = json::array();
  out += event("response.output_item.added", {{"output_index", items_.size() - 1}, {"item", std::move(item)}});
  if (kind == Kind::kCall) return out;
  json::object fields = place();
  fields["part"] = kind == Kind::kReasoning ? reasoning_part("") : text_part("", {});
  return out + event("response.content_part.added", std::move(fields));
}

std::string ResponsesWriter::close() {
  if (!std::exchange(open_, false)) return "";
  const Item& item = items_.back();
  std::string out;
  json::object fields = place();
  if (item.kind == Kind::kCall) {
    name_call(item, fields);
    fields["arguments"] = item.text;
    out = event("response.function_call_arguments.done", std::move(fields));
  } else {
    const bool reasoning = item.kind == Kind::kReasoning;
    fields["text"] = item.text;
    if (!reasoning) fields["logprobs"] = logprobs(item);
    out = event(reasoning ? "response.reasoning_text.done" : "response.output_text.done", std::move(fields));
    json::object part = place();
    part["part"] = part_object(item);
    out += event("response.content_part.done", std::move(part));
  }
  return out + event("response.output_item.done",
                     {{"output_index", items_.size() - 1}, {"item", item_object(item, status_of(item))}});
}

// Which item, and which part of it, an event is about.
json::object ResponsesWriter::place() const {
  json::object out{{"item_id", items_.back().id}, {"output_index", items_.size() - 1}};
  if (items_.back().kind != Kind::kCall) out["content_index"] = 0;
  return out;
}

std::string ResponsesWriter::chat_end(const Usage& usage) {
  std::string out = items_.empty() ? open(Kind::kMessage) : "";
  out += close();
  const char* type = finish_ == FinishReason::kLength ? "response.incomplete" : "response.completed";
  return out + response_event(type, finished(usage));
}

std::string ResponsesWriter::failure(const ApiError& error) {
  return response_event("response.failed", response("failed", nullptr, &error));
}

// The items are those of a stream.
std::string ResponsesWriter::chat_whole(const std::vector<ChatChoice>& choices, const Usage& usage) {
  using DeltaKind = AnswerDelta::Kind;
  const ChatChoice& answer = choices[0];
  finish_ = answer.event.finish;
  note_logprobs(answer.event, answer.parts);
  for (const AnswerDelta& delta : answer.deltas) {
    if (delta.kind == DeltaKind::kCallBegin) {
      add(Kind::kCall, delta.text);
    } else if (delta.kind == DeltaKind::kCallEnd) {
      items_.back().cut = delta.cut;
    } else {
      const Kind kind = delta.kind == DeltaKind::kCallArguments ? Kind::kCall
                        : delta.kind == DeltaKind::kReasoning   ? Kind::kReasoning
                                                                : Kind::kMessage;
      if (items_.empty() || items_.back().kind != kind) add(kind);
      items_.back().text += delta.text;
    }
  }
  if (items_.empty()) add(Kind::kMessage);
  return finished(usage);
}

// Of the response, once it is finished.
const char* ResponsesWriter::last_status() const {
  return finish_ == FinishReason::kLength ? "incomplete" : "completed";
}

// Once nothing is added to it. A call is whole or cut; other items are cut where the answer is, which ends with them.
const char* ResponsesWriter::status_of(const Item& item) const {
  if (item.kind == Kind::kCall) return item.cut ? "incomplete" : "completed";
  return &item == &items_.back() ? last_status() : "completed";
}

json::object ResponsesWriter::part_object(const Item& item) const {
  return item.kind == Kind::kReasoning ? reasoning_part(item.text) : text_part(item.text, logprobs(item));
}

json::object ResponsesWriter::item_object(const Item& item, const char* status) const {
  json::object out{{"id", item.id}, {"status", status}};
  if (item.kind == Kind::kCall) {
    out["type"] = "function_call";
    out["call_id"] = item.call_id;
    name_call(item, out);
    out["arguments"] = item.text;
    return out;
  }
  const bool reasoning = item.kind == Kind::kReasoning;
  out["type"] = reasoning ? "reasoning" : "message";
  out["content"] = json::array{part_object(item)};
  if (reasoning) {
    out["summary"] = json::array();
  } else {
    out["role"] = "assistant";
  }
  return out;
}

// As the client knows the function.
void ResponsesWriter::name_call(const Item& item, json::object& out) const {
  const auto found = asked_.namespaced.find(item.name);
  const bool has_space = found != asked_.namespaced.end();
  if (has_space) out["namespace"] = found->second.space;
  out["name"] = has_space ? found->second.name : item.name;
}

// JSON: the answer as the next request's chat has it, without its reasoning.
std::string ResponsesWriter::said_message() const {
  std::string content;
  json::array calls;
  for (const Item& item : items_) {
    if (item.kind == Kind::kMessage) content += item.text;
    // Half a call is none to the model, whose template may want JSON.
    if (item.kind != Kind::kCall || !parse_json(item.text).ok()) continue;
    calls.push_back({{"id", item.call_id},
                     {"type", "function"},
                     {"function", json::object{{"name", item.name}, {"arguments", item.text}}}});
  }
  json::object out{{"role", "assistant"}, {"content", content}};
  if (!calls.empty()) out["tool_calls"] = std::move(calls);
  return json::serialize(out);
}

// The whole response, kept for later if that is wanted.
std::string ResponsesWriter::finished(const Usage& usage) {
  std::string body = response(last_status(), &usage, nullptr);
  if (!asked_.store) return body;
  std::string conversation = asked_.conversation;
  conversation.back() = ',';
  conversation += said_message() + ']';
  store_->put(asked_.owner, head_.id, {.body = body, .conversation = std::move(conversation), .input = asked_.input});
  return body;
}

// `usage` and the output are there once it is finished.
std::string ResponsesWriter::response(const char* status, const Usage* usage, const ApiError* error) const {
  json::object out;
  out["id"] = head_.id;
  out["object"] = "response";
  out["created_at"] = head_.created;
  out["status"] = status;
  out["model"] = head_.model;
  out["background"] = false;
  out["store"] = asked_.store;
  out["error"] = nullptr;
  // The codes that OpenAI has for it.
  if (error != nullptr) {
    const char* code = error->status == 429  ? "rate_limit_exceeded"
                       : error->status < 500 ? "invalid_prompt"
                                             : "server_error";
    out["error"] = json::object{{"code", code}, {"message", error->message}};
  }
  out["incomplete_details"] = nullptr;
  out["usage"] = nullptr;
  json::array items;
  if (usage != nullptr) {
    for (const Item& item : items_) items.push_back(item_object(item, status_of(item)));
    out["usage"] = usage_object(*usage);
    if (finish_ == FinishReason::kLength) out["incomplete_details"] = json::object{{"reason", "max_output_tokens"}};
  }
  out["output"] = std::move(items);
  std::string text = json::serialize(out);
  text.pop_back();
  return text + ',' + asked_.echoed.substr(1);
}

}  // namespace ingle
