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

// Far above what any context takes, so that an endless input ends. JSON takes many times its bytes once parsed.
inline constexpr size_t kMaxTextBytes = size_t{256} << 20;
inline constexpr size_t kMaxJsonBytes = size_t{32} << 20;

// All of a file's bytes; "-" is stdin. Errors: kNotFound, kIo, kInvalidData (longer than `max_bytes`).
Result<std::string> read_input(const std::filesystem::path& path, size_t max_bytes = kMaxTextBytes);
Result<std::string> read_stdin();
// A note on stderr if nothing comes from stdin for a while: somebody may not know that it is being read.
void tell_if_stdin_is_slow(Console& console);

// A JSON file. Errors: those of read_input, kInvalidData with the place.
Result<boost::json::value> read_json(const std::filesystem::path& path);

// For boost::json, which takes well-formed text on trust.
std::string valid_utf8(std::string_view text);

}  // namespace ingle
