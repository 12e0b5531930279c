#include "text/pretokenizer_table.h"

namespace ingle {
namespace {

using Kind = PreTokenizer::StageKind;

constexpr const char* kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// The family that GPT-4's tokenizer began: contractions in any case, one leading character before letters.
constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kMiniCpm5 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kUfakzeka =
    R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kSeedCoder =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kBailing =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr const char* kExaoneMoe =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)";

// The family of GPT-4o: words end where the case turns from lower to upper.
constexpr const char* kGpt4o =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kTekken = R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
                                R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
                                R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kYoutu =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kYoutuScripts =
    "[\uAC00-\uD7A3\u3131-\u318E]+"
    "|[\uFF01\u2026\u201C\u201D\u2018\u2019\u2014\uFF1A\uFF1B\uFF0C\u3001-\u303F\uFE30-\uFE4F]+"
    "|[\u3105-\u312F]+|[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+";

// Kimi's patterns take the script Han out of the classes of letters. Ranges: Scripts.txt of Unicode 15.
#define HAN                                                                                                        \
  "[\u2E80-\u2E99\u2E9B-\u2EF3\u2F00-\u2FD5\u3005\u3007\u3021-\u3029\u3038-\u303B\u3400-\u4DBF\u4E00-\u9FFF"       \
  "\uF900-\uFA6D\uFA70-\uFAD9\U00016FE2-\U00016FE3\U00016FF0-\U00016FF1\U00020000-\U0002A6DF\U0002A700-\U0002B739" \
  "\U0002B740-\U0002B81D\U0002B820-\U0002CEA1\U0002CEB0-\U0002EBE0\U0002F800-\U0002FA1D\U00030000-\U0003134A"      \
  "\U00031350-\U000323AF]"
#define UPPER "(?:(?!" HAN ")[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}])"
#define LOWER "(?:(?!" HAN ")[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}])"
constexpr const char* kKimi = HAN
    "+"
    "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER
    "+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER
    "*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
#undef LOWER
#undef UPPER
#undef HAN

// DeepSeek's.
constexpr const char* kNewline = R"([\r\n])";
constexpr const char* kNumber = R"(\p{N})";
constexpr const char* kNumbers = R"(\p{N}+)";
constexpr const char* kThreeNumbers = R"(\p{N}{1,3})";
constexpr const char* kDeepSeekLetters =
    "\\s?[A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-\u02AF\u0370-\u0373"
    "\u0376\u0377\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F"
    "\u0531-\u0556\u10A0-\u10C5\u13A0-\u13F5\u13F8-\u13FD\u1C90-\u1CBA\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77"
    "\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D"
    "\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4"
    "\u1FF6-\u1FFC\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D\u212F-\u2134\u2139"
    "\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184\u2C00-\u2C7B\u2C7E-\u2CE4\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-\uA66D"
    "\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF\uFB00-\uFB06\uFB13-\uFB17\uFF21-\uFF3A"
    "\uFF41-\uFF5A\U00010400-\U0001044F\U000104B0-\U000104D3\U000104D8-\U000104FB\U00010C80-\U00010CB2"
    "\U00010CC0-\U00010CF2\U000118A0-\U000118DF\U0001E900-\U0001E943]+";
constexpr const char* kDeepSeekPunctuation = "\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+";
constexpr const char* kDeepSeekEastAsian = "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+";
constexpr const char* kDeepSeekV3EastAsian = "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+";
constexpr const char* kDeepSeekV3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kSpark =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+)";
constexpr const char* kAfmoeScripts =
    "[\u4E00-\u9FFF\u3400-\u4DBF\uF900-\uFAFF\u3040-\u309F\u30A0-\u30FF\uFF65-\uFF9F\u2F00-\u2FDF\u0E40-\u0E7F"
    "\u0E80-\u0EFF\u1780-\u17FF\u1000-\u109F\uAA60-\uAA7F\uA9E0-\uA9FF\uAC00-\uD7AF\u1100-\u11FF]+";

constexpr const char* kFalconPunctuation = R"([\p{P}$+<=>^~|`]+)";
constexpr const char* kThreeDigits = R"([0-9][0-9][0-9])";
constexpr const char* kBloom = " ?[^(\\s|.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C)]+";
constexpr const char* kLines = R"([^\n]+|[\n]+)";

constexpr PreTokenizerTraits kPlain = {};
constexpr PreTokenizerTraits kWholeWords = {.ignore_merges = true};

}  // namespace

std::span<const PreTokenizerEntry> pre_tokenizer_table() {
  static const std::vector<PreTokenizerEntry> table = {
      {"llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
       {{kLlama3}},
       {.ignore_merges = true, .add_bos = true}},
      {"dbrx smaug-bpe chatglm-bpe", {{kLlama3}}, kPlain},
      {"glm4 glm5", {{kLlama3}}, kWholeWords},
      {"qwen2 deepseek-r1-qwen stablelm2 hunyuan megrez kormo f2llmv2 solar-open grok-2", {{kQwen2}}, kPlain},
      {"qwen35", {{kQwen35}}, kPlain},
      {"minicpm5", {{kThreeNumbers}, {kMiniCpm5}}, kWholeWords},
      {"ufakzeka", {{kUfakzeka}}, kPlain},
      {"seed-coder", {{kSeedCoder}}, kPlain},
      {"bailingmoe bailingmoe2 llada-moe", {{kBailing}}, kPlain},
      {"exaone-moe", {{kExaoneMoe}}, kPlain},
      {"jais-2", {{kLlama3}, {"", Kind::kSpacesByPowers}}, kPlain},
      {"laguna", {{kLines}, {kQwen2}}, kPlain},
      {"gpt-2 phi-2 mpt olmo jais trillion granite-docling gigachat a.x-4.0 mellum modern-bert exaone4 jina-es jina-de "
       "jina-v1-en jina-v2-es jina-v2-de jina-v2-code roberta-bpe",
       {{kGpt2}},
       kPlain},
      {"smollm starcoder refact command-r codeshell exaone minerva-7b mellum2", {{kNumber}, {kGpt2}}, kPlain},
      {"falcon", {{kFalconPunctuation}, {kGpt2}, {kThreeDigits}}, kPlain},
      {"default", {{R"([\p{P}$+<=>^~|]+)"}, {kGpt2}, {kNumbers}, {kThreeDigits}}, kPlain},
      {"chameleon",
       {{R"(<sentinel:[0-9]+>)"},
        {R"((IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z)"},
        {R"(([\t\n]|    |  ))"},
        {kNumber},
        {R"([\p{P}!-/:-@\[-`{-~])"},
        {kGpt2}},
       {.add_bos = true}},
      {"gpt-4o llama4 kanana2 talkie minimax-m2", {{kGpt4o}}, kPlain},
      {"granite-embed-multi-97m", {{kGpt4o}}, kWholeWords},
      {"tekken", {{kTekken}}, {.ignore_merges = true, .add_bos = true}},
      {"tiny_aya cohere2moe", {{"", Kind::kDigitsByThreeUntilWord}, {kGpt4o}}, kPlain},
      {"youtu", {{kYoutuScripts}, {kYoutu}}, kWholeWords},
      {"kimi-k2", {{kKimi}}, kPlain},
      {"superbpe", {{kNumbers}, {"", Kind::kDigitsByThree}}, kPlain},
      {"deepseek-llm",
       {{kNewline},
        {kDeepSeekLetters},
        {kDeepSeekPunctuation},
        {"", Kind::kTrailingSpace},
        {kDeepSeekEastAsian},
        {kNumbers}},
       kPlain},
      {"deepseek-coder", {{kNewline}, {R"(\s?\p{L}+)"}, {R"(\s?\p{P}+)"}, {kDeepSeekEastAsian}, {kNumber}}, kPlain},
      {"deepseek-v3 hunyuan-dense joyai-llm hy_v4", {{kThreeNumbers}, {kDeepSeekV3EastAsian}, {kDeepSeekV3}}, kPlain},
      {"spark2_5", {{kThreeNumbers}, {kDeepSeekV3EastAsian}, {kSpark}, {kNumber}}, kPlain},
      {"afmoe", {{"", Kind::kNumbersByThree}, {kAfmoeScripts}, {kDeepSeekV3}}, kPlain},
      {"poro-chat bloom gpt3-finnish", {{kBloom}}, kPlain},
      {"viking", {{kBloom}, {kNumber}}, kPlain},
      {"gemma4 granite-embed-multi-311m",
       {{kLines}},
       {.byte_level = false, .forces_bos = true, .whole_newlines = true}},
      {"sarvam-moe", {{kLines}}, {.byte_level = false}},
  };
  return table;
}

}  // namespace ingle
