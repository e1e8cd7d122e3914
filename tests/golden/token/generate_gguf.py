#!/usr/bin/env python3
"""Golden data for GGUF's tokenizers:

  sentencepiece.gguf, sentencepiece.json   a BPE model that sentencepiece trains here, as llama.cpp's converter would write it
                                           (tokenizer.ggml.model = llama), and sentencepiece's own ids of random texts
  presets.json                             for each pattern set of tokenizer.ggml.pre: the pieces that Python's tokenizers
                                           cuts random texts into with the same patterns, one after the other

usage: pip install sentencepiece gguf tokenizers numpy; python generate_gguf.py   (in this folder)
"""
import io
import json
import pathlib
import random

import gguf
import numpy
import sentencepiece
from tokenizers import Regex, pre_tokenizers

from generate_tokenizers import CORPUS, random_text

HERE = pathlib.Path(__file__).parent
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
          r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
         r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
PRESETS = {
    "gpt-2": [GPT2], "phi-2": [GPT2], "olmo": [GPT2], "smollm": [r"\p{N}", GPT2], "starcoder": [r"\p{N}", GPT2], "command-r": [r"\p{N}", GPT2],
    "llama-bpe": [LLAMA3], "llama3": [LLAMA3], "dbrx": [LLAMA3], "qwen2": [LLAMA3.replace("{1,3}", "")], "deepseek-r1-qwen": [LLAMA3.replace("{1,3}", "")],
    "gpt-4o": [O200K], "tekken": [TEKKEN],
    "deepseek-v3": [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"],
    "falcon": [r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"],
    "default": [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
}


def train():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=600, model_type="bpe", byte_fallback=True, character_coverage=0.98,
                                             normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=True, allow_whitespace_only_pieces=True,
                                             user_defined_symbols=["<|user|>"], control_symbols=["<ctl>"], minloglevel=2)
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def write_gguf(path, sp):
    kinds, tokens, scores = [], [], []
    for i in range(sp.vocab_size()):
        tokens.append(sp.id_to_piece(i).encode())
        scores.append(sp.get_score(i))
        kinds.append(6 if sp.is_byte(i) else 2 if sp.is_unknown(i) else 3 if sp.is_control(i) else 5 if sp.is_unused(i) else 4 if sp.id_to_piece(i) == "<|user|>" else 1)
    w = gguf.GGUFWriter(str(path), "llama")
    w.add_tokenizer_model("llama")
    w.add_token_list(tokens)
    w.add_token_scores(scores)
    w.add_token_types(kinds)
    w.add_bos_token_id(sp.bos_id())
    w.add_eos_token_id(sp.eos_id())
    w.add_unk_token_id(sp.unk_id())
    w.add_tensor("token_embd.weight", numpy.zeros((1, 32), numpy.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    rng = random.Random(11)
    sp = train()
    write_gguf(HERE / "sentencepiece.gguf", sp)
    texts = ["", " ", "  ", "a", " a", "a ", "\n", "▁", "Hello world", "aaaaaaaa", "\t\t"] + [random_text(rng, []) for _ in range(150)]
    cases = []
    for text in texts:
        ids = sp.encode(text)
        cases.append({"text": text, "ids": ids, "with_special": [sp.bos_id()] + ids, "decoded": sp.decode(ids)})
    (HERE / "sentencepiece.json").write_text(json.dumps(cases, ensure_ascii=False, separators=(",", ":")) + "\n")
    texts = [random_text(rng, []) for _ in range(60)] + ["x = {'a': 1234567, \"b\": [1.5e-3]}  // a/b\r\n\r\n  y+=z;#!$^~|`<=>", "I'M don'T we'Re", "ABCdef GHIjkl", "   \n  \n x", "中文abc日本語12ひらがな"]
    out = {"texts": texts, "presets": []}
    for name, patterns in PRESETS.items():
        cutter = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(p), "isolated") for p in patterns])
        out["presets"].append({"name": name, "pieces": [[piece for piece, _ in cutter.pre_tokenize_str(t)] for t in texts]})
    # Presets with the same patterns have the same pieces: keep them once.
    seen = {}
    for p in out["presets"]:
        key = json.dumps(p["pieces"])
        if key in seen:
            p["pieces"] = seen[key]
        else:
            seen[key] = p["name"]
    (HERE / "presets.json").write_text(json.dumps(out, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
