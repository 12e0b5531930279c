#!/usr/bin/env python3
"""Make the small vocabularies and golden ids in src/text/testdata/ that the tokenizer tests read.

The golden values are those of the official implementations: Hugging Face's `tokenizers` for byte pairs, character pairs
and WordPiece and for the pieces of the pre-tokenizers, `sentencepiece` for SentencePiece. Needs the Python packages
tokenizers, sentencepiece, gguf and numpy; the files are committed, so tests and builds need none of them. The trainers
break ties by chance: every run makes other vocabularies, and golden ids that belong to them.

    python3 scripts/make_tokenizer_fixtures.py
"""

import io
import random
from pathlib import Path

import gguf
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

TESTDATA = Path(__file__).resolve().parent.parent / "src" / "text" / "testdata"
SEPARATOR = "\n__ingle_text__\n"
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
TAIL = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL
QWEN2 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL
UPPER, LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"


def cased(contractions: str, numbers: str, without: str = "", newlines: str = r"[\r\n/]*") -> str:
    lead = r"[^\r\n\p{L}\p{N}]?"
    return (f"{lead}[{UPPER}{without}]*[{LOWER}{without}]+{contractions}|{lead}[{UPPER}{without}]+[{LOWER}{without}]*"
            rf"{contractions}|{numbers}| ?[^\s\p{{L}}\p{{N}}]+{newlines}{TAIL}")


def split(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Split(Regex(pattern), "isolated")


def digits(individual: bool) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Digits(individual_digits=individual)


ASCII_PUNCTUATION = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"""
DEEPSEEK_LETTERS = (
    r"\s?"
    "[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376"
    "\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-"
    "\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a"
    "\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4"
    "\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc"
    "\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f"
    "\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b"
    "\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a"
    "\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2"
    "\U000118a0-\U000118df\U0001e900-\U0001e943]+")
DEEPSEEK_V3 = (ASCII_PUNCTUATION + r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*" + TAIL)

# What the `tokenizer.json` files behind the names have.
PRE_TOKENIZERS = {
    "gpt-2": [split(GPT2)],
    "smollm": [digits(True), split(GPT2)],
    "llama-bpe": [split(LLAMA3)],
    "qwen2": [split(QWEN2)],
    "qwen35": [split(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + TAIL)],
    "minicpm5": [split(r"\p{N}{1,3}"),
                 split(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL)],
    "ufakzeka": [split(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL)],
    "seed-coder": [split(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}" + "\r\n" + r"]+" + TAIL)],
    "bailingmoe": [split(r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
                         r"|\s+(?!\S)|\s+")],
    "exaone-moe": [split(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}"
                         r"| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+")],
    "jais-2": [split(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+" +
                     "".join(rf"|\s{{{n}}}(?!\S)" for n in (512, 256, 128, 64, 32, 16, 8, 4)) + r"|\s{1,2}(?!\S)|\s{1}")],
    "laguna": [split(r"[^\n]+|[\n]+"), split(QWEN2)],
    "falcon": [pre_tokenizers.Punctuation("contiguous"), split(GPT2), split(r"[0-9][0-9][0-9]")],
    "chameleon": [split(r"<sentinel:[0-9]+>"), split(r"(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z"), split(r"([\t\n]|    |  )"),
                  digits(True), pre_tokenizers.Punctuation("isolated"), split(GPT2)],
    "gpt-4o": [split(cased(CONTRACTIONS + "?", r"\p{N}{1,3}"))],
    "tekken": [split(cased("", r"\p{N}"))],
    "tiny_aya": [split(r"\d{1,3}(?=(?:\d{3})*\b)"), split(cased(CONTRACTIONS + "?", r"\p{N}{1,3}"))],
    "youtu": [split("[\uac00-\ud7a3\u3131-\u318e]+|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f\ufe30-\ufe4f]+"
                    "|[\u3105-\u312f]+|[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"),
              split(cased(CONTRACTIONS + "?", r"\p{N}"))],
    "kimi-k2": [split(r"[\p{Han}]+|" + cased(CONTRACTIONS + "?", r"\p{N}{1,3}", r"&&[^\p{Han}]", r"[\r\n]*"))],
    "superbpe": [split(r"\p{N}+"), split(r"(?=(\d{3})+(?!\d))")],
    "deepseek-llm": [split("[\r\n]"), split(DEEPSEEK_LETTERS), split(r"\s?[!-/:-~" "\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"), split(r"\s+$"),
                     split("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"), digits(False)],
    "deepseek-coder": [split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"),
                       digits(True)],
    "deepseek-v3": [split(r"\p{N}{1,3}"), split("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"), split(DEEPSEEK_V3)],
    "spark2_5": [split(r"\p{N}{1,3}"), split("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"),
                 split(ASCII_PUNCTUATION + r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[" + "\r\n" +
                       r"]|\s+(?!\S)|\s+"), split(r"\p{N}")],
    "bloom": [split(r" ?[^(\s|[.,!?" "\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c" r"])]+")],
    "viking": [split(r" ?[^(\s|[.,!?" "\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c" r"])]+"), digits(True)],
}


def texts() -> list[str]:
    fixed = [
        "", " ", "  ", "   ", "\t", "\n", "\n\n", "\n\n\n", "\t\n", "\r\n", "\r\n\r\n", " \n \n ", "\n \n\t\n  x", "a\n\n\nb",
        "Hello world", " Hello world", "Hello World", " Hello  World!", "Hello, world!\n", "  leading", "trailing  ",
        "trailing\n", "tab\tseparated\tvalues", "mixed \t \n ws\r\n  end ", "x = [1, 2,\n     3]\n\n\ndef f():\n    return\n",
        "I'm you're he's we've they'd I'll don't", "I'M YOU'RE HE'S WE'VE THEY'D I'LL DON'T", "it'\u017f 's 'S ''s y'all's",
        "'", "''", "' era", "o'clock 'tis 'twas", "'sun 'Dog 'veil",
        "3", "33", "333", "3333", "33333", "333333", "3333333", "33333333", "333333333", "1234567890123",
        " 1 12 123 1234 12345", "3.14159 1,000,000 1e-10 0xFF", "a1b22c333d4444", "v1.2.3-rc4", "12ab 123ab 1234ab",
        "2024-01-31T23:59:59", "\u0663\u0664\u0665\u0666 \u0967\u0968\u0969\u096a", "\u00b2\u00b3\u00b9 \u00bd \u2167 \u2460\u2461",
        "\U0001d7d8\U0001d7d9\U0001d7da x\u00b2", "123\u4e2d456",
        "this is \U0001f999.cpp", "\U0001f680 (normal) \U0001f636\u200d\U0001f32b\ufe0f \u2705", "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f3f3\ufe0f\u200d\U0001f308 \U0001f44d\U0001f3fd \U0001f1e9\U0001f1ea", "\u2764\ufe0f\u2764", "\u2603 \u2122 \u00a9",
        "\u043d\u0435\u0449\u043e \u043d\u0430 \u0411\u044a\u043b\u0433\u0430\u0440\u0441\u043a\u0438", "\u6211\u60f3\u5728apple\u5de5\u4f5c1314151\u5929\uff5e",
        "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3002\u30ab\u30bf\u30ab\u30ca", "\ud55c\uad6d\uc5b4 \ud14d\uc2a4\ud2b8\uc785\ub2c8\ub2e4.", "\u3131\u314f \u3105\u3106",
        "\u1780\u17b6\u1793\u17cb\u178f\u17c2\u1796\u17b7\u179f\u17c1\u179f", "\u0e44\u0e17\u0e22\u0e20\u0e32\u0e29\u0e32 \u0e01\u0e47\u0e2d", "\u0939\u093f\u0928\u094d\u0926\u0940 \u0915\u094d\u0937\u0924\u094d\u0930\u093f\u092f",
        "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u0645\u0631\u062d\u0628\u0627\u060c \u0643\u064a\u0641\u061f", "\u0648\u064e\u0644\u064e\u062f\u064c",
        "caf\u00e9 cafe\u0301 na\u00efve nai\u0308ve", "e\u0301\u0316\u0301 \u0301 \u0301x", "\u01c5\u01c4\u01c6 \u00df\u1e9e \u0130\u0131 \ufb01", "\u02b0\u02b1\u00aa\u00ba \U0001d4d0\U0001d4d1",
        "\uff26\uff55\uff4c\uff4c \uff11\uff12\uff13", "\u00a0nbsp\u00a0\u00a0x\u00a0", "a\u3000\u3000b\u2003c\u2028d\u2029e\u0085f", "zero\u200bwidth\u200d\u2060\ufeff",
        "\u202eRTL\u202c \u200f\u200e", "\x00\x01\x02\x1b[0m\x7f", "\x0b\x0c\x1c\x1d", "soft\u00adhyphen", "\ufffd\ufffe\U0010ffff\ue000",
        "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "... --- !!! ???", "a/b\\c//d/* x */", "//\n///\n#!/usr/bin/env", "=====\n-----\n",
        "$100 \u20ac5 \u00a37 +1 <b>x</b> ^~|`", "\u201cquoted\u201d \u2018single\u2019 \u2014 dash\u2026", "\uff01\uff1f\uff0c\u3001\u3002\uff1a", "snake_case camelCase PascalCaseWord HTTPServer2 XMLHttp",
        "ABCdefGHI jkLMno", "\u00c9COLE \u00e9Cole \u041f\u0440\u0438\u0412\u0415\u0422 \u0434\u043eM", "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2 \u1fb3", "isn\u2019t it'll IT'LL It'Ll",
        "<sentinel:12> <sentinel:> IMGIMGABZ IMGIMGZ IMGIMGABCDEZ", "a  b    c     d", "x" * 70, " " * 40, " " * 1100 + "x", "\n" * 20, "ab" * 30,
        "Hello, y'all! How are you \U0001f601 ?\u6211\u60f3\u5728apple\u5de5\u4f5c1314151\u5929\uff5e", "\u2581under\u2581\u2581score \u2581",
        "\u092f\u0947 12\u0964 \u06d4 (a|b)", "\u3400\u4dbf\U00020000 \uf900\u3005\u3007", "1\u0301 a1\u0301b \u20dd", "Dr. 007's #1", "1\u00b2 1234\u00b2 12345_ 1234\u203f 12345\u00e9",
        "<|im_start|>user\nHi there<|im_end|>\n<|im_start|>", "<tool_call><tool> x<tool_call", "<|im_start|<|im_end|>|>",
        " <|im_end|> <|endoftext|><|endoftext|>", "<tool",
    ]
    rng = random.Random(3)
    parts = ["a", "B", "word", "Word", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "1", "12", "1234", "'", "'s", "'LL", ".", "!?", "-", "/", "\u00e9",
             "e\u0301", "\u4e2d\u6587", "\u304b\u306a", "\ud55c", "\u0936\u0941", "\u0661\u0662\u0663", "\U0001f600", "\u200d", "\u0391\u03b1", "_", "=>", "\u3002", "(", "\u2160", "\u02b0"]
    return fixed + ["".join(rng.choice(parts) for _ in range(rng.randint(4, 18))) for _ in range(40)]


TRAINING = """The quick brown fox jumps over the lazy dog. Don't panic; it's only 1234567 tokens, isn't it?
We've seen that they'll merge words across spaces and 100 200 300 4000 digits 2024-01-31.
def main():\n    return [x for x in range(10) if x % 2 == 0]\n\n\nclass Foo(Bar):\n\tpass\n
Der schnelle braune Fuchs springt \u00fcber den faulen Hund. \u00c9cole caf\u00e9 na\u00efve.
\u043d\u0435\u0449\u043e \u043d\u0430 \u0411\u044a\u043b\u0433\u0430\u0440\u0441\u043a\u0438 \u0438 \u043f\u043e-\u0440\u0443\u0441\u0441\u043a\u0438, \u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440!
\u6211\u60f3\u5728apple\u5de5\u4f5c1314151\u5929\uff5e \u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3002 \ud55c\uad6d\uc5b4 \ud14d\uc2a4\ud2b8
Hello world! Hello, World. hello WORLD ... !!! ??? --- === /// \\\\ <b>x</b> {"a": [1, 2.5, null]}
snake_case camelCase PascalCaseWord HTTPServer XMLHttpRequest     indented    more\n\n        deep
\U0001f600\U0001f680 \u2705 \U0001f468\u200d\U0001f469\u200d\U0001f467 \u0939\u093f\u0928\u094d\u0926\u0940 \u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e9\u05dc\u05d5\u05dd
"""


def write_gguf(name: str, model: str, tokens: list[str], types: list[int], scores=None, merges=None, **ids) -> None:
    writer = gguf.GGUFWriter(TESTDATA / name, "llama")
    writer.add_tokenizer_model(model)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    if scores is not None:
        writer.add_token_scores(scores)
    if merges is not None:
        writer.add_token_merges(merges)
    for key, value in ids.items():
        writer.add_uint32(f"tokenizer.ggml.{key}", value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_ids(name: str, lines: list[list[int]]) -> None:
    (TESTDATA / name).write_text("".join(" ".join(map(str, line)) + "\n" for line in lines), newline="\n")


def pretokenizer_pieces(all_texts: list[str]) -> None:
    out = io.StringIO()
    for name, stages in PRE_TOKENIZERS.items():
        sequence = pre_tokenizers.Sequence(stages)
        out.write(f"{name}\n")
        for text in all_texts:
            pieces = [piece for piece, _ in sequence.pre_tokenize_str(text) if piece]
            assert "".join(pieces) == text, (name, text, pieces)
            out.write(" ".join(str(len(piece)) for piece in pieces) + "\n")
    (TESTDATA / "pretokenizer_pieces.txt").write_text(out.getvalue(), newline="\n")


SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
USER_DEFINED_TOKENS = ["<tool>", "<tool_call>"]


def byte_pairs(all_texts: list[str]) -> None:
    training = Tokenizer(models.BPE())
    # Merges that cross words, numbers and spaces, so that ids differ where pre-tokenizers do.
    training.pre_tokenizer = pre_tokenizers.Sequence([split(r"[^\n]{1,12}|\n+"), pre_tokenizers.ByteLevel(False, use_regex=False)])
    trainer = trainers.BpeTrainer(vocab_size=900, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
                                  special_tokens=SPECIALS, show_progress=False)
    training.train_from_iterator([TRAINING] * 3, trainer)
    import json
    model = json.loads(training.to_str())["model"]
    vocab, merges = model["vocab"], [tuple(m) for m in model["merges"]]
    # A whole word that no merge reaches: only `ignore_merges` takes it.
    vocab["ĠHelloĠWorld"] = len(vocab)
    vocab["word"] = vocab.get("word", len(vocab))
    tokens = sorted(vocab, key=vocab.get) + USER_DEFINED_TOKENS
    types = [CONTROL if t in SPECIALS else USER_DEFINED if t in USER_DEFINED_TOKENS else NORMAL for t in tokens]
    write_gguf("byte_pairs.gguf", "gpt2", tokens, types, merges=[" ".join(m) for m in merges],
               bos_token_id=0, eos_token_id=2)
    for name, ignore_merges in (("gpt-2", False), ("llama-bpe", True), ("qwen2", False), ("deepseek-v3", False)):
        tokenizer = Tokenizer(models.BPE(vocab, merges, ignore_merges=ignore_merges))
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            PRE_TOKENIZERS[name] + [pre_tokenizers.ByteLevel(False, use_regex=False)])
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.add_special_tokens(SPECIALS)
        tokenizer.add_tokens([AddedToken(t, normalized=False) for t in USER_DEFINED_TOKENS])
        write_ids(f"byte_pairs.{name}.ids", [tokenizer.encode(t).ids for t in all_texts])


def character_pairs(all_texts: list[str]) -> None:
    bytes_ = [f"<0x{b:02X}>" for b in range(256)]
    training = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    training.normalizer = normalizers.Replace(" ", "▁")
    training.pre_tokenizer = split(r"[^\n]{1,16}|\n")
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=["<pad>", "<eos>", "<bos>", "<unk>"] + bytes_,
                                  limit_alphabet=120, show_progress=False)
    training.train_from_iterator([TRAINING] * 3, trainer)
    import json
    model = json.loads(training.to_str())["model"]
    vocab, merges = model["vocab"], [tuple(m) for m in model["merges"]]
    tokens = sorted(vocab, key=vocab.get)
    types = [CONTROL if i < 3 else UNKNOWN if i == 3 else BYTE if t in bytes_ else NORMAL for i, t in enumerate(tokens)]
    write_gguf("character_pairs.gguf", "gemma4", tokens, types, scores=[0.0] * len(tokens),
               merges=[" ".join(m) for m in merges], bos_token_id=2, eos_token_id=1, unknown_token_id=3)
    tokenizer = Tokenizer(models.BPE(vocab, merges, byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = split(r"[^\n]+|[\n]+")
    write_ids("character_pairs.ids", [tokenizer.encode(t).ids for t in all_texts])


def sentencepieces(all_texts: list[str]) -> None:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TRAINING.splitlines() * 3), model_writer=model, model_type="bpe", vocab_size=700,
        byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=True,
        split_digits=True, allow_whitespace_only_pieces=True, character_coverage=0.98, user_defined_symbols=["<tool>"],
        control_symbols=["<turn>"], minloglevel=2)
    sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    tokens = [sp.id_to_piece(i) for i in range(len(sp))]
    scores = [sp.get_score(i) for i in range(len(sp))]

    def kind(i: int) -> int:
        if sp.is_unknown(i):
            return UNKNOWN
        if sp.is_control(i):
            return CONTROL
        if sp.is_byte(i):
            return BYTE
        return USER_DEFINED if tokens[i] == "<tool>" else NORMAL

    write_gguf("sentencepiece.gguf", "llama", tokens, [kind(i) for i in range(len(tokens))], scores=scores,
               bos_token_id=sp.bos_id(), eos_token_id=sp.eos_id(), unknown_token_id=sp.unk_id())
    for name, prefix, remove in (("prefix", True, False), ("plain", False, False), ("single_spaces", False, True)):
        # Protocol buffers merge a message that comes twice, so another normalizer_spec (field 3) at the end overrides
        # add_dummy_prefix (3) and remove_extra_whitespaces (4).
        override = bytes([3 << 3 | 2, 4, 3 << 3, prefix, 4 << 3, remove])
        sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue() + override)
        # What is between special tokens is treated like a text of its own (as llama.cpp does), which SentencePiece does
        # not do: no golden value.
        write_ids(f"sentencepiece.{name}.ids",
                  [[-1] if (prefix or remove) and "<tool>" in t else sp.encode(t) for t in all_texts])


def word_pieces(all_texts: list[str]) -> None:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    training = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    training.normalizer = normalizers.BertNormalizer(lowercase=True)
    training.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=600, special_tokens=special, show_progress=False)
    cased_training = "Hello World HTTP École ÉCOLE Der Fuchs \u0130 "
    training.train_from_iterator([TRAINING, cased_training] * 3, trainer)
    vocab = training.get_vocab()
    for extra in ("Hello", "W", "##orld", "É", "É"):
        vocab.setdefault(extra, len(vocab))
    tokens = sorted(vocab, key=vocab.get)
    types = [CONTROL if t in special else NORMAL for t in tokens]
    spelt = [t if t in special else t[2:] if t.startswith("##") else "▁" + t for t in tokens]
    assert len(set(spelt)) == len(spelt)
    write_gguf("wordpiece.gguf", "bert", spelt, types, padding_token_id=0, unknown_token_id=1, cls_token_id=2,
               seperator_token_id=3, mask_token_id=4)
    for name, lowercase in (("uncased", True), ("cased", False)):
        tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.add_special_tokens(special)
        write_ids(f"wordpiece.{name}.ids", [tokenizer.encode(t).ids for t in all_texts])


def main() -> None:
    TESTDATA.mkdir(parents=True, exist_ok=True)
    all_texts = texts()
    (TESTDATA / "tokenizer_texts.txt").write_text(SEPARATOR.join(all_texts), encoding="utf-8", newline="")
    pretokenizer_pieces(all_texts)
    byte_pairs(all_texts)
    character_pairs(all_texts)
    sentencepieces(all_texts)
    word_pieces(all_texts)


if __name__ == "__main__":
    main()
