#!/usr/bin/env python3
"""Writes what sentence-transformers makes of some texts: tests/cli/minilm_embeddings.json, for all-MiniLM-L6-v2.

The file has the package's version and, for each text, its token ids and its vector (float32, little-endian, base64).
The texts are as many as cover what tokenizers stumble over, none longer than the 256 tokens that sentence-transformers
cuts at.

Needs: sentence-transformers. Not part of the build or of CI: the result is committed.
Use:  make_embedding_golden.py CHECKPOINT_DIR [OUT.json]
"""

import argparse
import base64
import json
import pathlib

import sentence_transformers

TEXTS = [
    "The rain in Spain stays mainly in the plain.",
    "That is a happy person",
    "a",
    "",
    "How do I reverse a string in C++? `std::reverse(s.begin(), s.end());`",
    "Caf\u00e9 na\u00efve \u00c5ngstr\u00f6m \u0130stanbul STRASSE stra\u00dfe \u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3",
    "\u6771\u4eac\u306f\u65e5\u672c\u306e\u9996\u90fd\u3067\u3059\u3002 \ud55c\uad6d\uc5b4 \u4e2d\u6587mixed\u6587\u5b57",
    "emoji \U0001f600\U0001f44d\U0001f3fd and \u200bzero\u00a0width\u3000spaces\ttabs\r\nlines",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645, \u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd, \u0928\u092e\u0938\u094d\u0924\u0947",
    "x" * 120 + " antidisestablishmentarianism " + "w" * 100,
    "3.14159 $1,000.00 50% (#42) [a-z]+ <tag/> user@example.org https://example.org/?q=1&r=2",
    "[CLS] and [SEP] written out, and [MASK] too",
    " ".join(f"word{i}" for i in range(70)),
    "The quick brown fox jumps over the lazy dog. " * 24,
]


def main():
    default = pathlib.Path(__file__).resolve().parent.parent / "tests" / "cli" / "minilm_embeddings.json"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("out", nargs="?", type=pathlib.Path, default=default)
    args = parser.parse_args()
    model = sentence_transformers.SentenceTransformer(args.checkpoint, device="cpu")
    texts = []
    for text in TEXTS:
        ids = model.tokenizer(text, truncation=False)["input_ids"]
        if len(ids) > model.max_seq_length:
            raise SystemExit(f"{len(ids)} tokens would be cut: {text[:40]}")
        vector = model.encode([text], convert_to_numpy=True)[0].astype("<f4")
        texts.append({"text": text, "ids": ids, "vector": base64.b64encode(vector.tobytes()).decode()})
    made_by = f"sentence-transformers {sentence_transformers.__version__}"
    with open(args.out, "w", encoding="utf-8") as file:
        file.write(f'{{"model": "all-MiniLM-L6-v2", "made_by": "{made_by}", "texts": [\n')
        file.write(",\n".join(json.dumps(text) for text in texts) + "\n]}\n")


if __name__ == "__main__":
    main()
