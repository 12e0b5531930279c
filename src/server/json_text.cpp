#include "server/json_text.h"

#include <boost/json.hpp>
#include <utility>

namespace ingle {

std::string json_string(std::string_view text) { return boost::json::serialize(boost::json::string(text)); }

std::string json_number(double value) { return boost::json::serialize(boost::json::value(value)); }

std::string with_field(std::string object, std::string_view key, std::string_view json) {
  object.pop_back();
  if (object.size() > 1) object += ',';
  object += json_string(key);
  object += ':';
  object += json;
  object += '}';
  return object;
}

}  // namespace ingle
