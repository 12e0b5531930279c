// Any bytes as a model's answer: the first byte chooses the format and what is asked for, the second where the text is
// cut. Deltas say the same however it is cut, are whole characters, and lose nothing where there is no call.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/check.h"
#include "text/answer_parser.h"
#include "text/json_value.h"
#include "text/utf8.h"

using namespace ingle;

namespace {

std::shared_ptr<const AnswerParserOptions> options(uint8_t choice) {
  auto out = std::make_shared<AnswerParserOptions>();
  out->syntax.calls = static_cast<CallFormat>(choice % 5);
  const uint8_t rest = choice / 5;
  out->one_call = (rest & 1) != 0;
  out->stream_arguments = (rest & 2) != 0;
  if ((rest & 4) != 0) {
    out->syntax.reasoning_open = "<think>";
    out->syntax.reasoning_close = "</think>";
    out->in_reasoning = (rest & 8) != 0;
  }
  out->calls_first = (rest & 16) != 0;
  if ((rest & 32) != 0) out->takes = [](std::string_view, std::string_view given) { return given.size() % 2 == 0; };
  out->tools = {{.name = "f", .text_parameters = {"s"}, .text_or_null_parameters = {"z"}}};
  return out;
}

ParsedAnswer parse(const std::shared_ptr<const AnswerParserOptions>& options, std::string_view text, size_t piece_bytes,
                   std::vector<std::string>* order) {
  AnswerParser parser(options);
  ParsedAnswer answer;
  uint32_t open = 0, ended = 0;
  const auto take = [&](const std::vector<AnswerDelta>& deltas) {
    for (const AnswerDelta& delta : deltas) {
      CHECK(is_valid_utf8(delta.text));
      answer.add(delta);
      if (delta.kind == AnswerDelta::Kind::kCallBegin) CHECK(delta.call == ended && ++open == ended + 1);
      if (delta.kind == AnswerDelta::Kind::kCallEnd) CHECK(++ended == open);
      const std::string kind(1, static_cast<char>('0' + static_cast<int>(delta.kind)));
      if (order->empty() || order->back() != kind) order->push_back(kind);
    }
  };
  for (; !text.empty(); text.remove_prefix(std::min(piece_bytes, text.size()))) {
    take(parser.push(text.substr(0, piece_bytes)));
  }
  take(parser.finish());
  CHECK(open == ended && ended == answer.calls.size() && parser.calls() == ended);
  return answer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto how = options(data[0]);
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::vector<std::string> order, order_of_pieces;
  const ParsedAnswer whole = parse(how, text, std::max<size_t>(text.size(), 1), &order);
  const ParsedAnswer pieces = parse(how, text, 1 + data[1] % 16, &order_of_pieces);
  CHECK(order == order_of_pieces);
  CHECK(whole.content == pieces.content && whole.reasoning == pieces.reasoning);
  for (size_t i = 0; i < whole.calls.size(); i++) {
    CHECK(whole.calls[i].name == pieces.calls[i].name && whole.calls[i].arguments == pieces.calls[i].arguments);
    if (how->stream_arguments) continue;
    const auto arguments = parse_json(whole.calls[i].arguments);
    CHECK(arguments.ok() && arguments->is_dict());
  }
  if (whole.calls.empty() && how->syntax.reasoning_open.empty()) {
    Utf8Stream utf8;
    CHECK(whole.content == utf8.push(text) + utf8.finish());
  }
  return 0;
}
