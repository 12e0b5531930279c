#include "server/response_items.h"

#include <gtest/gtest.h>

#include "text/json_value.h"

namespace ingle {
namespace {

using jinja::Value;

std::string stored(const std::string& input) { return stored_input(*parse_json(input)); }

// The ids of the page's items, then "..." if there are more; or the error's field.
std::string page(const std::string& stored, const std::string& query) {
  const auto listed = list_input(stored, query);
  if (const ApiError* error = std::get_if<ApiError>(&listed)) return error->param;
  const Value list = *parse_json(std::get<std::string>(listed));
  std::string out;
  for (const Value& item : find_member(list, "data")->items()) out += find_member(item, "id")->text() + " ";
  if (!out.empty()) {
    EXPECT_TRUE(out.starts_with(find_member(list, "first_id")->text()));
    EXPECT_TRUE(out.ends_with(find_member(list, "last_id")->text() + " "));
  }
  return out + (find_member(list, "has_more")->as_bool() ? "..." : "");
}

TEST(ResponseItems, ATextIsAMessage) {
  const Value list = *parse_json(stored("\"hi\""));
  ASSERT_EQ(list.items().size(), 1u);
  const Value& message = list.items()[0];
  EXPECT_EQ(find_member(message, "type")->text(), "message");
  EXPECT_EQ(find_member(message, "role")->text(), "user");
  EXPECT_TRUE(find_member(message, "id")->text().starts_with("msg_"));
  EXPECT_EQ(jinja::to_json_text(*find_member(message, "content"), {}), R"([{"type": "input_text", "text": "hi"}])");
}

TEST(ResponseItems, ItemsStayAsTheyAreButForIdsAndParts) {
  const Value list =
      *parse_json(stored(R"([{"role":"assistant","content":"a","id":"m"},)"
                         R"({"status":null,"type":"function_call_output","call_id":"c","output":"o","id":"f"}])"));
  EXPECT_EQ(
      jinja::to_json_text(list, {}),
      R"([{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}], "id": "m"}, )"
      R"({"type": "function_call_output", "call_id": "c", "output": "o", "id": "f"}])");
}

TEST(ResponseItems, PagesAreCutByTheQuery) {
  const std::string items = stored(R"([{"id":"a"},{"id":"b"},{"id":"c"}])");
  EXPECT_EQ(page(items, ""), "c b a ");
  EXPECT_EQ(page(items, "order=asc"), "a b c ");
  EXPECT_EQ(page(items, "limit=2&order=asc"), "a b ...");
  EXPECT_EQ(page(items, "order=asc&after=a&limit=2"), "b c ");
  EXPECT_EQ(page(items, "after=a"), "");
  EXPECT_EQ(page(items, "after=x"), "after");
  EXPECT_EQ(page(items, "order=up"), "order");
  for (const char* limit : {"limit=0", "limit=101", "limit=-1", "limit=x", "limit=2x"})
    EXPECT_EQ(page(items, limit), "limit");
  EXPECT_EQ(page(stored("[]"), ""), "");
}

}  // namespace
}  // namespace ingle
