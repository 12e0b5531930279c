// What the paths of Ollama's API have in common. Pure functions, any thread.
#pragma once

#include <boost/json.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "server/http.h"

namespace ingle {

// "smollm2" is "smollm2:latest" in full.
std::string full_model_name(std::string_view name);

std::unique_ptr<Answer> json_answer(const boost::json::object& body);

}  // namespace ingle
