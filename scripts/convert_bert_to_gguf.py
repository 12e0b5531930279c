#!/usr/bin/env python3
"""Turns an encoder of BERT's architecture (a Hugging Face or sentence-transformers checkpoint) into a GGUF file.

Names and metadata are those of llama.cpp's files, so that each reads the other's. The checkpoint is a directory with
config.json, *.safetensors, and tokenizer.json or vocab.txt; what sentence-transformers adds (modules.json and the
folders it names) says how the token vectors become one. The pooler, which only classifies, is left out.

What the conventions change against the checkpoint:
  vocabulary       "##ing" is "ing" and "the" is U+2581 "the": the mark is on what begins a word; names in brackets stay
  embeddings       those of positions and token types, and whatever has one dimension, are F32 in every type
  pooling_type     1 the mean, 2 the first token, 3 the last; left out where the checkpoint does not say

Needs: gguf, numpy.
Use:  convert_bert_to_gguf.py CHECKPOINT_DIR OUT.gguf [--type f32|f16|bf16|q4_0|q4_1|q5_0|q5_1|q8_0]
"""

import argparse
import json
import pathlib

import gguf

from convert_hf_to_gguf import TYPES, begin_file, read_safetensors, write_file, write_tensor

TENSOR_NAMES = {
    "embeddings.word_embeddings": "token_embd", "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types", "embeddings.LayerNorm": "token_embd_norm",
}
LAYER_TENSOR_NAMES = {
    "attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm",
}
LEFT_OUT = ("pooler.dense.weight", "pooler.dense.bias", "embeddings.position_ids")
ALWAYS_F32 = ("position_embd.weight", "token_types.weight")


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def check_config(config):
    """Stops at what another architecture, or another variant of this one, would need."""
    wanted = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
    for key, value in wanted.items():
        if config.get(key, value) != value:
            raise SystemExit(f"config.json: {key} is {config[key]!r}, supported is {value!r}")


def find_pooling(directory):
    """The gguf.PoolingType that the checkpoint's sentence-transformers modules say, or None."""
    modules = directory / "modules.json"
    if not modules.exists():
        return None
    folders = [module["path"] for module in read_json(modules) if module["type"].endswith("Pooling")]
    if not folders:
        return None
    pooling = read_json(directory / folders[0] / "config.json")
    modes = {"pooling_mode_mean_tokens": gguf.PoolingType.MEAN, "pooling_mode_cls_token": gguf.PoolingType.CLS,
             "pooling_mode_lasttoken": gguf.PoolingType.LAST}
    names = {"mean": gguf.PoolingType.MEAN, "cls": gguf.PoolingType.CLS, "lasttoken": gguf.PoolingType.LAST}
    if "pooling_mode" in pooling:  # as newer versions write it
        chosen = [names[pooling["pooling_mode"]]] if pooling["pooling_mode"] in names else []
    else:
        chosen = [kind for mode, kind in modes.items() if pooling.get(mode)]
    if len(chosen) != 1:
        raise SystemExit(f"{directory / folders[0]}: a pooling that GGUF files have no number for")
    return chosen[0]


def read_vocabulary(directory):
    """The tokens by id, as WordPiece spells them, and whether text becomes lower case."""
    if (directory / "tokenizer.json").exists():
        tokenizer = read_json(directory / "tokenizer.json")
        model = tokenizer["model"]
        if model["type"] != "WordPiece" or model["continuing_subword_prefix"] != "##":
            raise SystemExit("tokenizer.json: the model is not WordPiece with ##")
        ids = model["vocab"] | {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
        return [token for token, _ in sorted(ids.items(), key=lambda item: item[1])], tokenizer["normalizer"]
    with open(directory / "vocab.txt", encoding="utf-8") as file:
        return file.read().splitlines(), {}


def write_vocabulary(writer, tokens, normalizer, size):
    tokens = tokens + [f"[PAD{i}]" for i in range(len(tokens), size)]
    special = {name: tokens.index(f"[{name}]") for name in ("UNK", "CLS", "SEP", "PAD", "MASK") if f"[{name}]" in tokens}
    spelled = []
    for token in tokens:
        if token.startswith("[") and token.endswith("]") and len(token) > 2:
            spelled.append(token)
        else:
            spelled.append(token[2:] if token.startswith("##") and len(token) > 2 else "\u2581" + token)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(spelled)
    writer.add_token_types([gguf.TokenType.CONTROL if i in special.values() else gguf.TokenType.NORMAL
                            for i in range(len(spelled))])
    writer.add_unk_token_id(special["UNK"])
    writer.add_bos_token_id(special["CLS"])
    writer.add_eos_token_id(special["SEP"])
    writer.add_sep_token_id(special["SEP"])
    for name, add in (("PAD", writer.add_pad_token_id), ("MASK", writer.add_mask_token_id)):
        if name in special:
            add(special[name])
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)
    if not normalizer.get("lowercase", True):
        writer.add_bool("tokenizer.ggml.normalizer.lowercase", False)
    if normalizer.get("strip_accents") is not None:
        writer.add_bool("tokenizer.ggml.normalizer.strip_accents", normalizer["strip_accents"])


def write_hyperparameters(writer, config, pooling):
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_token_type_count(config["type_vocab_size"])
    if pooling is not None:
        writer.add_pooling_type(pooling)


def gguf_name(name):
    stem, _, kind = name.rpartition(".")
    if stem in TENSOR_NAMES:
        return f"{TENSOR_NAMES[stem]}.{kind}"
    parts = stem.split(".", 3)
    if parts[:2] != ["encoder", "layer"] or len(parts) != 4 or parts[3] not in LAYER_TENSOR_NAMES:
        raise SystemExit(f"tensor {name} has no place in a bert GGUF file")
    return f"blk.{parts[2]}.{LAYER_TENSOR_NAMES[parts[3]]}.{kind}"


def convert(directory, out_path, type_name="f32"):
    directory = pathlib.Path(directory)
    config = read_json(directory / "config.json")
    check_config(config)
    writer = begin_file(out_path, "bert", type_name)
    write_hyperparameters(writer, config, find_pooling(directory))
    tokens, normalizer = read_vocabulary(directory)
    write_vocabulary(writer, tokens, normalizer, config["vocab_size"])
    for name, array in read_safetensors(directory, leave_out=LEFT_OUT):
        name = gguf_name(name.removeprefix("bert."))
        write_tensor(writer, name, array, "f32" if name in ALWAYS_F32 else type_name)
    write_file(writer)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="directory with config.json, *.safetensors and the tokenizer")
    parser.add_argument("out", help="the GGUF file to write")
    parser.add_argument("--type", choices=TYPES, default="f32", help="type of the matrices (default: f32)")
    args = parser.parse_args()
    convert(args.checkpoint, args.out, args.type)


if __name__ == "__main__":
    main()
