// Reading what the user names on the command line, and where the user's own files of the program lie.
#pragma once

#include <boost/json.hpp>
#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"
#include "console.h"
#include "store/store.h"

namespace ingle {

// $INGLE_HOME, else ~/.local/share/ingle. Errors: kNotFound if the system knows of no home.
Result<std::filesystem::path> data_folder();
Result<Store> open_store();

// MODEL on the command line (see resolve_model), with the store's progress shown.
Result<std::filesystem::path> find_model(const std::string& text, Console& console);

// All of a file's bytes; "-" is stdin. Errors: kNotFound, kIo.
Result<std::string> read_input(const std::filesystem::path& path);
Result<std::string> read_stdin();

// A JSON file. Errors: those of read_input, kInvalidData with the place.
Result<boost::json::value> read_json(const std::filesystem::path& path);

// For boost::json, which takes well-formed text on trust.
std::string valid_utf8(std::string_view text);

}  // namespace ingle
