#!/usr/bin/env python3
"""Turns a Hugging Face checkpoint (config.json and *.safetensors) of a family that Ingle knows into a GGUF file.

It exists for the tests: tiny checkpoints made by make_tiny_models.py become files that follow the conventions of GGUF
to the letter (llama.cpp reads them too). The vocabulary it writes is synthetic, of the right size, whatever tokenizer
the checkpoint came with; the weights and hyperparameters are the checkpoint's.

What the conventions change against the checkpoint:
  llama, mistral   architecture "llama"; rows of Q and K reordered so that RoPE turns adjacent pairs; llama-3 RoPE
                   scaling becomes the tensor rope_freqs.weight, [head_dim/2] divisors of the frequencies
  gemma3           norm weights stored as 1 + w; a sliding pattern of 6 and a local RoPE base of 10000 go without saying
                   in published files, so the keys for both are written only where they differ; so is attention.scale
  all              tied embeddings: no output.weight; one-dimensional tensors stay F32 in every type

Use:  convert_hf_to_gguf.py CHECKPOINT_DIR OUT.gguf [--type f32|f16|bf16|q4_0|q4_1|q5_0|q5_1|q8_0] [--vocab bpe|spm]
"""

import argparse
import collections
import json
import math
import mmap
import pathlib

import gguf
import numpy as np

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3",
                 "gemma3": "gemma3", "gemma3_text": "gemma3"}

TENSOR_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}
GEMMA_TENSOR_NAMES = TENSOR_NAMES | {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}

TYPES = {"f32": gguf.GGMLQuantizationType.F32, "f16": gguf.GGMLQuantizationType.F16,
         "bf16": gguf.GGMLQuantizationType.BF16, "q4_0": gguf.GGMLQuantizationType.Q4_0,
         "q4_1": gguf.GGMLQuantizationType.Q4_1, "q5_0": gguf.GGMLQuantizationType.Q5_0,
         "q5_1": gguf.GGMLQuantizationType.Q5_1, "q8_0": gguf.GGMLQuantizationType.Q8_0}
FILE_TYPES = {"f32": gguf.LlamaFileType.ALL_F32, "f16": gguf.LlamaFileType.MOSTLY_F16,
              "bf16": gguf.LlamaFileType.MOSTLY_BF16, "q4_0": gguf.LlamaFileType.MOSTLY_Q4_0,
              "q4_1": gguf.LlamaFileType.MOSTLY_Q4_1, "q5_0": gguf.LlamaFileType.MOSTLY_Q5_0,
              "q5_1": gguf.LlamaFileType.MOSTLY_Q5_1, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}

# Something to learn merges from: letters, digits, punctuation and spaces in plausible proportions.
CORPUS = ("the quick brown fox jumps over the lazy dog and then the other dog thinks that there is nothing in the "
          "world that it would rather do than run and run again in the morning sun while the rain is still far away. "
          "def main(): return [x for x in range(10) if x % 2 == 0] # and so on, 1 2 3 10 100 1000")
CHAT_TEMPLATE = ("{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}"
                 "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}")


def read_safetensors(directory, leave_out=()):
    """Yields (name, float32 array) from every *.safetensors file of a directory, but for those whose names end with one
    of `leave_out`."""
    numpy_types = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}
    paths = sorted(pathlib.Path(directory).glob("*.safetensors"))
    if not paths:
        raise SystemExit(f"{directory}: no *.safetensors file")
    for path in paths:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            header_bytes = int.from_bytes(data[:8], "little")
            header = json.loads(data[8:8 + header_bytes])
            for name, entry in header.items():
                if name == "__metadata__" or name.endswith(tuple(leave_out)):
                    continue
                if entry["dtype"] not in numpy_types:
                    raise SystemExit(f"{path}: tensor {name} has type {entry['dtype']}, which is not a float")
                begin, end = (8 + header_bytes + offset for offset in entry["data_offsets"])
                array = np.frombuffer(data[begin:end], numpy_types[entry["dtype"]]).reshape(entry["shape"])
                if entry["dtype"] == "BF16":
                    array = (array.astype(np.uint32) << 16).view(np.float32)
                yield name, array.astype(np.float32)


def adjacent_pairs(rows, heads):
    """Rows of Q or K, reordered in each head from (first halves, second halves) of the RoPE pairs to adjacent pairs."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def llama3_rope_divisors(rope, head_dim):
    """Llama 3's scaling as one divisor per RoPE frequency: 1 where waves are short, `factor` where they are long."""
    factor, low, high = rope["factor"], rope["low_freq_factor"], rope["high_freq_factor"]
    original_context = rope["original_max_position_embeddings"]
    divisors = []
    for i in range(0, head_dim, 2):
        turns = original_context / (2 * math.pi * rope["rope_theta"] ** (i / head_dim))  # of this wave in the context
        smooth = min(max((turns - low) / (high - low), 0.0), 1.0)
        divisors.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(divisors, np.float32)


class Config:
    """config.json with the names of old and new versions of transformers brought together."""

    def __init__(self, directory):
        with open(pathlib.Path(directory) / "config.json", encoding="utf-8") as file:
            values = json.load(file)
        self.values = values.get("text_config", values)
        self.family = self.values.get("model_type")
        if self.family not in ARCHITECTURES:
            raise SystemExit(f"{directory}: model type '{self.family}' is not one of {', '.join(ARCHITECTURES)}")
        self.arch = ARCHITECTURES[self.family]
        self.layers = self["num_hidden_layers"]
        self.heads = self["num_attention_heads"]
        self.kv_heads = self.get("num_key_value_heads", self.heads)
        self.head_dim = self.get("head_dim", self["hidden_size"] // self.heads)
        self.sliding_layers = self.find_sliding_layers()
        self.global_rope, self.local_rope = self.find_ropes()

    def __getitem__(self, key):
        if self.values.get(key) is None:
            raise SystemExit(f"config.json has no {key}")
        return self.values[key]

    def get(self, key, default=None):
        value = self.values.get(key)
        return default if value is None else value

    def find_sliding_layers(self):
        window = self.get("sliding_window")
        if self.arch != "gemma3":
            if window and self.get("use_sliding_window", self.family == "mistral"):
                raise SystemExit(f"sliding windows of {self.family} have no place in its GGUF metadata")
            return []
        pattern = self.get("sliding_window_pattern", 6)
        types = self.get("layer_types", ["full_attention" if (i + 1) % pattern == 0 else "sliding_attention"
                                         for i in range(self.layers)])
        return [t == "sliding_attention" for t in types]

    def find_ropes(self):
        """The RoPE of global layers, and of sliding ones."""
        rope = self.get("rope_parameters")
        if rope is None:
            rope = {"rope_theta": self.get("rope_theta", 10000.0)} | (self.get("rope_scaling") or {})
        local = {"rope_theta": self.get("rope_local_base_freq", 10000.0)}
        if "full_attention" in rope:
            rope, local = rope["full_attention"], rope["sliding_attention"]
        kind = rope.get("rope_type", rope.get("type", "default"))
        if kind not in ("default", "llama3", "linear") or local.get("rope_type", "default") != "default":
            raise SystemExit(f"RoPE scaling of type '{kind}' is not supported")
        if kind == "llama3" and self.arch != "llama":
            raise SystemExit(f"llama3 RoPE scaling has no place in the GGUF metadata of {self.arch}")
        return rope | {"rope_type": kind}, local


def write_hyperparameters(writer, config):
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config.global_rope["rope_theta"])
    if config.global_rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(config.global_rope["factor"])
    if config.arch == "llama":
        writer.add_vocab_size(config["vocab_size"])
        writer.add_rope_dimension_count(config.head_dim)
    if config.arch == "gemma3":
        write_gemma3_hyperparameters(writer, config)


def write_gemma3_hyperparameters(writer, config):
    sliding = config.sliding_layers
    if any(sliding):
        writer.add_sliding_window(config["sliding_window"])
        if sliding != [i % 6 < 5 for i in range(config.layers)]:
            writer.add_sliding_window_pattern(sliding)
        if config.local_rope["rope_theta"] != 10000.0:
            writer.add_rope_freq_base_swa(config.local_rope["rope_theta"])
    if config["query_pre_attn_scalar"] != config.head_dim and config.layers != 62:
        writer.add_attention_scale(config["query_pre_attn_scalar"] ** -0.5)
    if config.get("attn_logit_softcapping") is not None:
        raise SystemExit("attn_logit_softcapping has no place in the GGUF metadata of gemma3")
    if config.get("final_logit_softcapping") is not None:
        writer.add_final_logit_softcapping(config["final_logit_softcapping"])


def learn_merges(words, count):
    """Byte-pair merges: the most frequent neighbours first, ties to the lower pair; ends when all words are whole."""
    words = collections.Counter(tuple(word) for word in words)
    for _ in range(count):
        pairs = collections.Counter()
        for word, times in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += times
        if not pairs:
            return
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        yield best
        merged = collections.Counter()
        for word, times in words.items():
            parts = []
            for part in word:
                if parts and (parts[-1], part) == best:
                    parts[-1] += part
                else:
                    parts.append(part)
            merged[tuple(parts)] += times
        words = merged


def write_bpe_vocabulary(writer, size, pre):
    """256 byte tokens, merges to fill, then BOS and EOS."""
    visible = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or 174 <= b]
    hidden = [b for b in range(256) if b not in visible]
    tokens = [chr(b) for b in visible] + [chr(256 + i) for i in range(len(hidden))]
    space = chr(256 + hidden.index(32))
    words = CORPUS.replace(" ", " " + space).split(" ")
    merges = []
    for pair in learn_merges(words, size - 258):
        merges.append(" ".join(pair))
        tokens.append("".join(pair))
    if len(tokens) != size - 2:
        raise SystemExit(f"a vocabulary of {size} is not between 258 and what the corpus of this script gives")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens + ["<|begin|>", "<|end|>"])
    writer.add_token_types([gguf.TokenType.NORMAL] * (size - 2) + [gguf.TokenType.CONTROL] * 2)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(size - 2)
    writer.add_eos_token_id(size - 1)
    writer.add_add_bos_token(False)


def write_spm_vocabulary(writer, size):
    """Pad, EOS, BOS, unknown, 256 byte tokens, then characters and merges whose score is their rank."""
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{b:02X}>" for b in range(256)]
    types = [gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.UNKNOWN] + [gguf.TokenType.BYTE] * 256
    words = CORPUS.replace(" ", " \u2581").split(" ")
    pieces = sorted(set("".join(words)), key=lambda c: (-CORPUS.count(c), c))[: (size - 260) // 2]
    pieces += ["".join(pair) for pair in learn_merges([[c for c in w if c in pieces] for w in words],
                                                     size - 260 - len(pieces))]
    if len(tokens) + len(pieces) != size:
        raise SystemExit(f"a vocabulary of {size} is not between 260 and what the corpus of this script gives")
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens + pieces)
    writer.add_token_scores([0.0] * len(tokens) + [-float(rank) for rank in range(len(pieces))])
    writer.add_token_types(types + [gguf.TokenType.NORMAL] * len(pieces))
    writer.add_pad_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_unk_token_id(3)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)


def convert_tensor(config, name, array):
    """The tensor's GGUF name and values, or None for one that the file does not hold."""
    for prefix in ("language_model.", "model.language_model.", "model."):
        name = name.removeprefix(prefix)
    stem, _, kind = name.rpartition(".")
    if config.arch == "gemma3" and stem.endswith("norm"):
        array = array + np.float32(1)
    if stem == "embed_tokens":
        return "token_embd.weight", array
    if stem == "norm":
        return "output_norm.weight", array
    if stem == "lm_head":
        return None if config.get("tie_word_embeddings", False) else (f"output.{kind}", array)
    parts = stem.split(".", 2)
    names = GEMMA_TENSOR_NAMES if config.arch == "gemma3" else TENSOR_NAMES
    if parts[0] != "layers" or len(parts) != 3 or parts[2] not in names or kind not in ("weight", "bias"):
        raise SystemExit(f"tensor {name} has no place in a {config.arch} GGUF file")
    if config.arch == "llama" and parts[2] in ("self_attn.q_proj", "self_attn.k_proj"):
        array = adjacent_pairs(array, config.heads if parts[2].endswith("q_proj") else config.kv_heads)
    return f"blk.{parts[1]}.{names[parts[2]]}.{kind}", array


def write_tensor(writer, name, array, type_name):
    kind = TYPES[type_name]
    block, _ = gguf.GGML_QUANT_SIZES[kind]
    if array.ndim == 1:
        kind = gguf.GGMLQuantizationType.F32
    elif array.shape[-1] % block != 0:
        kind = gguf.GGMLQuantizationType.F16  # a row is not whole blocks
    writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)


def begin_file(out_path, arch, type_name):
    writer = gguf.GGUFWriter(out_path, arch)
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(pathlib.Path(out_path).stem)
    writer.add_file_type(FILE_TYPES[type_name])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    return writer


def write_file(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def convert(directory, out_path, type_name="f32", vocabulary=None):
    config = Config(directory)
    writer = begin_file(out_path, config.arch, type_name)
    write_hyperparameters(writer, config)
    if (vocabulary or ("spm" if config.family in ("gemma3_text", "gemma3", "mistral") else "bpe")) == "spm":
        write_spm_vocabulary(writer, config["vocab_size"])
    else:
        write_bpe_vocabulary(writer, config["vocab_size"], "llama-bpe" if config.arch == "llama" else "qwen2")
    writer.add_chat_template(CHAT_TEMPLATE)
    for name, array in read_safetensors(directory):
        converted = convert_tensor(config, name, array)
        if converted is not None:
            write_tensor(writer, *converted, type_name)
    if config.global_rope["rope_type"] == "llama3":
        write_tensor(writer, "rope_freqs.weight", llama3_rope_divisors(config.global_rope, config.head_dim), "f32")
    write_file(writer)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="directory with config.json and *.safetensors")
    parser.add_argument("out", help="the GGUF file to write")
    parser.add_argument("--type", choices=TYPES, default="f32", help="type of the matrices (default: f32)")
    parser.add_argument("--vocab", choices=("bpe", "spm"), help="the synthetic vocabulary (default: the family's)")
    args = parser.parse_args()
    convert(args.checkpoint, args.out, args.type, args.vocab)


if __name__ == "__main__":
    main()
