#!/usr/bin/env python3
"""Golden data for tests/token: Python's `tokenizers` (0.23) encodes and decodes random texts.

  tiny.json        with the tokenizer.json of tests/golden/tiny/*
  components.json  with small tokenizers that are made here, one for each component and option that we support

usage: pip install tokenizers; python generate_tokenizers.py   (in this folder; same seed, same files)
"""
import json
import random
import pathlib

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
TINY = HERE.parent / "tiny"
FOLDERS = ["llama-gqa", "mistral-swa", "phi3-4k", "qwen2-bias"]  # the other four have the same files

WORDS = """the of and to in is that for it was on are as with at be this from I have or by one not but what all were
when we there can an your which their said if do will each about how up out them then she many some so these would
Hello world don't they'LL I'M you've isn't naïve café Ångström Straße İstanbul ǅungla ﬁne x² ½ ٣٤٥ ④ Ⅷ 12345 3.14
Привет мир 東京 日本語 中文分词 안녕하세요 שלום مرحبا ไทย हिन्दी ελληνικά 👩‍👩‍👧 😀 🇫🇷 e\u0301 a\u0308\u0323 ſ K""".split()
JOINS = ["", " ", " ", " ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", " \n", "\u00a0", "\u2003", "\u3000", "\u0085", "\u200b", ", ", ".", "!?", "...", "—", "'", "\"", "_", "-", "▁", "\u180e"]
CORPUS = [" ".join(WORDS[i:] + WORDS[:i]) for i in range(0, len(WORDS), 3)] + ["the cat sat on the mat, and 42 dogs ran.", "def f(x):\n    return x + 1\n"] * 5


def random_text(rng, specials):
    parts = []
    for _ in range(rng.randint(1, 12)):
        kind = rng.random()
        if kind < 0.62:
            parts.append(rng.choice(WORDS))
        elif kind < 0.72:
            parts.append("".join(chr(rng.choice([rng.randint(1, 0x7F), rng.randint(0xA0, 0x2FF), rng.randint(0x300, 0x36F), rng.randint(0x2000, 0x2FFF),
                                                 rng.randint(0x3040, 0x30FF), rng.randint(0x1F300, 0x1F6FF)])) for _ in range(rng.randint(1, 5))))
        elif kind < 0.82:
            parts.append(str(rng.randint(0, 10 ** rng.randint(1, 9))))
        elif kind < 0.9 and specials:
            parts.append(rng.choice(specials))
        else:
            parts.append(rng.choice(["", "a" * rng.randint(1, 40), " " * rng.randint(1, 20), "ab" * rng.randint(1, 20)]))
        parts.append(rng.choice(JOINS))
    return "".join(parts)


def cases(tok, rng, count):
    specials = [t.content for t in tok.get_added_tokens_decoder().values()]
    texts = ["", " ", "  ", "\n", "a", "▁", " a", "a "] + [random_text(rng, specials) for _ in range(count)]
    out = []
    for text in texts:
        tok.encode_special_tokens = False
        ids = tok.encode(text, add_special_tokens=False).ids
        case = {"text": text, "ids": ids, "decoded": tok.decode(ids, skip_special_tokens=False)}
        skipped = tok.decode(ids, skip_special_tokens=True)
        if skipped != case["decoded"]:
            case["skipped"] = skipped
        full = tok.encode(text).ids
        if full != ids:
            case["with_special"] = full
        tok.encode_special_tokens = True
        plain = tok.encode(text, add_special_tokens=False).ids
        if plain != ids:
            case["plain"] = plain
        out.append(case)
    size = tok.get_vocab_size()
    for _ in range(count // 4):
        ids = [rng.randrange(size) for _ in range(rng.randint(1, 12))]
        out.append({"ids": ids, "decoded": tok.decode(ids, skip_special_tokens=False)})
    return out


def train(model, **parts):
    tok = Tokenizer(model)
    for name in ("normalizer", "pre_tokenizer", "decoder", "post_processor"):
        if parts.get(name):
            setattr(tok, name, parts[name])
    trainer = trainers.BpeTrainer(vocab_size=parts.get("vocab_size", 320), show_progress=False, special_tokens=parts.get("special", ["<unk>", "<s>", "</s>"]),
                                  initial_alphabet=parts.get("alphabet", []), limit_alphabet=parts.get("limit_alphabet", 1000))
    tok.train_from_iterator(parts.get("corpus", CORPUS), trainer)
    return tok


def with_bytes(tok):
    """Add <0x00>..<0xFF> to the vocabulary and turn byte_fallback on."""
    data = json.loads(tok.to_str())
    vocab = data["model"]["vocab"]
    for b in range(256):
        vocab.setdefault(f"<0x{b:02X}>", len(vocab))
    data["model"]["byte_fallback"] = True
    return Tokenizer.from_str(json.dumps(data))


def byte_level(**kw):
    return train(models.BPE(), alphabet=pre_tokenizers.ByteLevel.alphabet(), special=["<|end|>"], decoder=decoders.ByteLevel(), **kw)


def split(pattern, behavior, invert=False):
    return train(models.BPE(unk_token="<unk>"), pre_tokenizer=pre_tokenizers.Split(pattern, behavior, invert))


def components():
    P, N, D = pre_tokenizers, normalizers, decoders
    yield "byte level, GPT-2 regex", byte_level(pre_tokenizer=P.ByteLevel(add_prefix_space=False))
    yield "byte level, prefix space", byte_level(pre_tokenizer=P.ByteLevel(add_prefix_space=True), post_processor=processors.ByteLevel(trim_offsets=True))
    yield "byte level without regex", byte_level(pre_tokenizer=P.ByteLevel(add_prefix_space=False, use_regex=False))
    yield "individual digits", byte_level(pre_tokenizer=P.Sequence([P.Digits(individual_digits=True), P.ByteLevel(add_prefix_space=False)]))
    yield "digit runs", byte_level(pre_tokenizer=P.Sequence([P.Digits(individual_digits=False), P.ByteLevel(add_prefix_space=False)]))
    yield "no prefix, unknown is dropped", train(models.BPE(), pre_tokenizer=P.Whitespace(), limit_alphabet=60)
    yield "unknown token", train(models.BPE(unk_token="<unk>"), pre_tokenizer=P.WhitespaceSplit(), limit_alphabet=60)
    yield "fused unknown", train(models.BPE(unk_token="<unk>", fuse_unk=True), pre_tokenizer=P.WhitespaceSplit(), limit_alphabet=40)
    yield "punctuation", train(models.BPE(unk_token="<unk>"), pre_tokenizer=P.Sequence([P.Punctuation(), P.WhitespaceSplit()]))
    yield "punctuation, contiguous", train(models.BPE(unk_token="<unk>"), pre_tokenizer=P.Punctuation("contiguous"))
    yield "delimiter", train(models.BPE(unk_token="<unk>"), pre_tokenizer=P.CharDelimiterSplit(" "))
    for behavior in ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"):
        for invert in (False, True):
            yield f"split {behavior} {invert}", split(Regex(r"[aeiou]|\s"), behavior, invert)
    yield "split text", split("th", "isolated")
    yield "regex classes", byte_level(pre_tokenizer=P.Sequence([P.Split(Regex(r"\w+|[^\w\s]+|\s+"), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)]))
    yield "regex negated classes", byte_level(pre_tokenizer=P.Sequence([P.Split(Regex(r"\S+|\W|\d"), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)]))
    yield "o200k", byte_level(pre_tokenizer=P.Sequence([P.Split(Regex(
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
        r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"), "removed", True),
        P.ByteLevel(add_prefix_space=False, use_regex=False)]))
    for scheme in ("always", "never", "first"):
        for cut in (True, False):
            tok = train(models.BPE(unk_token="<unk>", fuse_unk=True), pre_tokenizer=P.Metaspace(prepend_scheme=scheme, split=cut), decoder=D.Metaspace(prepend_scheme=scheme), limit_alphabet=120)
            tok.add_special_tokens(["[A]"])
            yield f"metaspace {scheme} {cut}", tok
    sp = dict(normalizer=N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), decoder=D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)]))
    tok = with_bytes(train(models.BPE(unk_token="<unk>", fuse_unk=True), limit_alphabet=60, **sp))
    tok.post_processor = processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> <s> $B </s>", [("<s>", 1), ("</s>", 2)])
    yield "byte fallback, template", tok
    tok = with_bytes(train(models.BPE(unk_token="<unk>"), limit_alphabet=60, normalizer=N.Replace(" ", "▁"), decoder=D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse()])))
    tok.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing("<s> $0", "<s> $A $B", [("<s>", 1)])])
    yield "byte fallback, no prefix, sequence", tok
    for name, normalizer in {"NFC": N.NFC(), "NFD": N.NFD(), "NFKC": N.NFKC(), "NFKD": N.NFKD(), "lowercase": N.Lowercase(), "strip": N.Strip(), "strip left": N.Strip(True, False),
                             "no accents": N.Sequence([N.NFD(), N.StripAccents()]), "replace regex": N.Replace(Regex(r"[0-9]+"), "#"), "replace text": N.Replace("a", "bb"),
                             "prepend": N.Prepend("x"), "sequence": N.Sequence([N.NFKC(), N.Lowercase(), N.Replace(Regex(r"\s+"), " "), N.Strip()])}.items():
        yield f"normalizer {name}", byte_level(normalizer=normalizer, pre_tokenizer=P.ByteLevel(add_prefix_space=False))
    tok = byte_level(normalizer=N.Lowercase(), pre_tokenizer=P.ByteLevel(add_prefix_space=False))
    tok.add_special_tokens([AddedToken("<|L|>", lstrip=True), AddedToken("<|R|>", rstrip=True), AddedToken("<|LR|>", lstrip=True, rstrip=True)])
    tok.add_tokens([AddedToken("WORLD", normalized=True), AddedToken("Cat", normalized=False), AddedToken("one", single_word=True, normalized=False), AddedToken("<|L", normalized=False),
                    AddedToken("  ", normalized=False)])
    yield "added tokens", tok
    data = json.loads(byte_level(pre_tokenizer=P.ByteLevel(add_prefix_space=False)).to_str())
    data["model"]["ignore_merges"] = True
    data["model"]["merges"] = data["model"]["merges"][:40]
    yield "ignore merges", Tokenizer.from_str(json.dumps(data))
    data = json.loads(byte_level(pre_tokenizer=P.ByteLevel(add_prefix_space=False)).to_str())
    data["model"]["merges"] = [" ".join(m) for m in data["model"]["merges"]]
    yield "merges as text", Tokenizer.from_str(json.dumps(data))
    yield "no decoder", train(models.BPE(unk_token="<unk>"), pre_tokenizer=P.WhitespaceSplit(), limit_alphabet=60)
    tok = train(models.BPE(unk_token="<unk>"), pre_tokenizer=P.WhitespaceSplit())
    tok.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 1))
    yield "roberta", tok


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def main():
    rng = random.Random(7)
    write(HERE / "tiny.json", [{"folder": f, "cases": cases(Tokenizer.from_file(str(TINY / f / "tokenizer.json")), rng, 120)} for f in FOLDERS])
    out = []
    for name, tok in components():
        data = json.loads(tok.to_str())
        out.append({"name": name, "tokenizer": data, "cases": cases(tok, rng, 24)})
    write(HERE / "components.json", out)


if __name__ == "__main__":
    main()
