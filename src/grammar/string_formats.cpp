#include "grammar/string_formats.h"

#include <algorithm>
#include <array>

namespace ingle {
namespace {

struct Format {
  std::string_view name, pattern;
};

// 29 February exists in years that 4 divides but for centuries that 400 does not.
#define INGLE_DATE                                                                                          \
  "(?:[1-9][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)" \
  "|02-(?:0[1-9]|1[0-9]|2[0-8]))"                                                                           \
  "|(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)-02-29)"
#define INGLE_TIME                                                               \
  "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[+-](?:[01]" \
  "[0-9]|2[0-3]):[0-5][0-9])"
#define INGLE_LABEL "[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?"
#define INGLE_HOST INGLE_LABEL "(?:\\." INGLE_LABEL "){0,4}"
#define INGLE_ATOM "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,30}"
#define INGLE_BYTE "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
#define INGLE_IPV4 "(?:" INGLE_BYTE "\\.){3}" INGLE_BYTE
#define INGLE_HEX4 "[0-9A-Fa-f]{1,4}"
#define INGLE_DURATION_TIME "T(?:[0-9]{1,9}H(?:[0-9]{1,9}M(?:[0-9]{1,9}S)?)?|[0-9]{1,9}M(?:[0-9]{1,9}S)?|[0-9]{1,9}S)"

constexpr std::array<Format, 15> kFormats = {{
    {"date", INGLE_DATE},
    {"time", INGLE_TIME},
    {"date-time", INGLE_DATE "T" INGLE_TIME},
    {"duration",
     "P(?:[0-9]{1,9}W|(?:[0-9]{1,9}D|[0-9]{1,9}M(?:[0-9]{1,9}D)?|[0-9]{1,9}Y(?:[0-9]{1,9}M(?:[0-9]{1,9}D)?)?)"
     "(?:" INGLE_DURATION_TIME ")?|" INGLE_DURATION_TIME ")"},
    {"email", INGLE_ATOM "(?:\\." INGLE_ATOM "){0,1}@" INGLE_LABEL "(?:\\." INGLE_LABEL "){1,3}"},
    {"hostname", INGLE_HOST},
    {"ipv4", INGLE_IPV4},
    {"ipv6", "(?:(?:" INGLE_HEX4 ":){7}" INGLE_HEX4 "|(?:" INGLE_HEX4 "(?::" INGLE_HEX4 "){0,2})?::(?:" INGLE_HEX4
             "(?::" INGLE_HEX4 "){0,3})?)"},
    {"uri",
     "[a-z][a-z0-9+.-]{1,15}://" INGLE_HOST "(?::[1-9][0-9]{0,3})?(?:/[A-Za-z0-9._~-]*)*(?:\\?[A-Za-z0-9._~=&-]*)?"
     "(?:#[A-Za-z0-9._~-]*)?"},
    // What follows has more than this besides.
    {"idn-email", INGLE_ATOM "@" INGLE_LABEL "(?:\\." INGLE_LABEL "){1,3}"},
    {"idn-hostname", INGLE_HOST},
    {"iri", "[a-z][a-z0-9+.-]{1,15}://" INGLE_HOST "(?::[1-9][0-9]{0,3})?(?:/[A-Za-z0-9._~-]*)*"},
    {"json-pointer", "(?:/(?:[^~/]|~[01])*)+"},
    {"byte", "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)"},
    {"uuid", "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"},
}};

// OpenAPI's, Pydantic's: what a text is for.
constexpr std::array<std::string_view, 5> kFormatsOfAnyText = {"password", "binary", "path", "file-path",
                                                               "directory-path"};

}  // namespace

bool is_format_of_any_text(std::string_view format) {
  return std::find(kFormatsOfAnyText.begin(), kFormatsOfAnyText.end(), format) != kFormatsOfAnyText.end();
}

std::string_view format_pattern(std::string_view format) {
  for (const Format& known : kFormats) {
    if (known.name == format) return known.pattern;
  }
  return {};
}

std::string known_formats() {
  std::string out;
  for (const Format& known : kFormats) {
    if (!out.empty()) out += ", ";
    out += known.name;
  }
  return out;
}

}  // namespace ingle
