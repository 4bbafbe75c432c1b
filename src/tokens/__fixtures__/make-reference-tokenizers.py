"""Writes reference-tokenizers.json: `pip install tokenizers==0.23.3`, then give the file to write as the argument."""
import json, random, sys
from tokenizers import Tokenizer, AddedToken, Regex, models, pre_tokenizers as P, normalizers as N, decoders as D, processors, trainers
corpus = ["The quick brown fox jumps over the lazy dog.", "Reply with one move as XML.\n<move>\n  <row>1</row>\n  <col>2</col>\n</move>",
 "def f(x):\n    return x + 1\n", "Ünïcödé text: naïve café, Straße, 你好世界, こんにちは, привет мир", "1234 56 7 and 3.14", "don't they're I'll we've",
 "🙂 😀 👩‍👩‍👧", "hello hello world the the of of and and in in"]*3
texts = ["", " ", "  ", "\n", "\n\n  \n", "hello", " hello", "hello world", "The quick brown fox", "don't you're I'LL We'Ve",
 "naïve café Straße", "e\u0301 vs \u00e9", "你好，世界！", "こんにちは世界", "привет, мир", "שלום עולם", "مرحبا ١٢٣ ½ Ⅷ ²", "한국어",
 "🙂", "a🙂b 👩‍👩‍👧 🇩🇪", "\t\ttabs\tand  spaces   ", "x = 1234567 + 3.14e-10", "def f(x):\n    return x + 1\n\n\n", "<move>\n  <row>1</row>\n</move>",
 "<|im_start|>user\nhi<|im_end|>\n", "a<|im_end|>", "<|im_end|> b", "x <sp> y", "x<sp>y", "word boundary: <w> a<w>b <w>.", "<|im_start|", "</s><s>",
 "\u0000\u0001\u007f", "\ufeffbom", "\u0085next\u00a0line\u2028sep\u3000wide", "....!!!???", "a.b,c;d", "--- final--countdown -", "ﬁ ligature ＡＢＣ", "\r\n win\r\n", "A"*40, "(x)[y]{z}\\^$|`~@#%&*_=+", "snake_case_name _x", "100 000,50", "\u0301\u0301", "zero\u200bwidth\u200djoin", "<\u0004/row>", "𝔘𝔫𝔦 𐍈"]
def special(t, extra=True):
    t.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    if extra:
        t.add_special_tokens([AddedToken("<sp>", lstrip=True, rstrip=True, special=True)])
        t.add_tokens([AddedToken("<w>", single_word=True, normalized=False), AddedToken("brown fox", normalized=True)])
def bpe(pre, norm=None, dec=None, n=360, byte=True, **kw):
    t = Tokenizer(models.BPE(**kw)); t.pre_tokenizer = pre
    if norm: t.normalizer = norm
    if dec: t.decoder = dec
    alphabet = P.ByteLevel.alphabet() if byte else []
    t.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=n, initial_alphabet=alphabet, special_tokens=kw.get('unk_token') and [kw['unk_token']] or [], show_progress=False)); return t
out = {}
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
t = bpe(P.ByteLevel(add_prefix_space=False), dec=D.ByteLevel()); special(t); out["gpt2: byte-level BPE"] = t
t = bpe(P.Sequence([P.Digits(individual_digits=True), P.ByteLevel(add_prefix_space=False)]), dec=D.ByteLevel()); special(t); out["smollm: digits, byte-level BPE"] = t
t = bpe(P.Sequence([P.Split(Regex(LLAMA3), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)]), dec=D.ByteLevel(), ignore_merges=True); special(t)
t.add_special_tokens(["<s>"]); t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", t.token_to_id("<s>"))])]); out["llama 3: split, post-processor with <s>"] = t
t = bpe(P.Sequence([P.Split(Regex(QWEN), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)]), norm=N.NFC(), dec=D.ByteLevel()); special(t); out["qwen 2: NFC, split"] = t
j = json.loads(t.to_str()); gone = [k for k in j["model"]["vocab"] if k in "ĀāĂăĄą"]; j["model"]["merges"] = [m for m in j["model"]["merges"] if not any(g in "".join(m) for g in gone)]
left = [k for k in j["model"]["vocab"] if not any(g in k for g in gone)]; j["model"]["vocab"] = {k: i for i, k in enumerate(left)}
for i, a in enumerate(j["added_tokens"]): a["id"] = len(left) + i
out["byte-level BPE without some bytes"] = Tokenizer.from_str(json.dumps(j))
t = bpe(P.ByteLevel(add_prefix_space=True), dec=D.ByteLevel()); special(t); out["byte-level BPE with a prefix space"] = t
# llama 2
b = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)]
base = Tokenizer(models.BPE()); base.normalizer = N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")])
base.train_from_iterator(corpus[:8], trainers.BpeTrainer(vocab_size=160, show_progress=False, limit_alphabet=60))
j = json.loads(base.to_str()); voc = list(j["model"]["vocab"]); vocab = {k: i for i, k in enumerate(b + voc)}
t = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in j["model"]["merges"]], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
t.normalizer = N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]); t.decoder = D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
t.add_special_tokens(["<unk>", "<s>", "</s>"]); out["llama 2: BPE with byte fallback"] = t
t = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in j["model"]["merges"]], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
t.pre_tokenizer = P.Metaspace(prepend_scheme="first", split=False); t.decoder = D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
t.add_special_tokens(["<unk>", "<s>", "</s>"]); out["llama 2 not legacy: metaspace at the start only"] = t
# wordlevel of the learning recipe
words = ["<unk>", "<s>", "</s>", "You play ", "X", "O", " ", "\n", "hello", "world", "<move>\n", "  <row>1", "</row>\n", "</move>", "a", "b", "é"]
t = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>")); rx = r"You play |<move>\n|  <row>\d|</row>\n|</move>|hello|world|[\s\S]"
t.pre_tokenizer = P.Split(Regex(rx), "isolated"); t.decoder = D.Fuse(); t.add_special_tokens(["<s>", "</s>"]); out["word level, split, fuse"] = t
def wl(pre, dec=None):
    ws = set()
    for s in corpus + texts[:30]:
        for w, _ in pre.pre_tokenize_str(s): ws.add(w)
    ws = ["[UNK]"] + sorted(ws)
    t = Tokenizer(models.WordLevel({w: i for i, w in enumerate(ws)}, unk_token="[UNK]")); t.pre_tokenizer = pre
    if dec: t.decoder = dec
    return t
out["word level, whitespace"] = wl(P.Whitespace())
out["word level, punctuation, contiguous digits"] = wl(P.Sequence([P.WhitespaceSplit(), P.Punctuation(), P.Digits(individual_digits=False)]))
out["word level, merged with previous"] = wl(P.Split("-", "merged_with_previous"), D.Fuse())
out["word level, merged with next"] = wl(P.Split(Regex(r"\d+|-"), "merged_with_next"), D.Fuse())
out["word level, contiguous"] = wl(P.Split(Regex(r"[\s.]"), "contiguous"), D.Fuse())
# unigram
for name, split, bf in (("unigram, metaspace", True, False), ("unigram with byte fallback, metaspace without split", False, True)):
    t = Tokenizer(models.Unigram()); t.normalizer = N.Sequence([N.NFKC(), N.Replace(Regex(" {2,}"), " ")]); t.pre_tokenizer = P.Metaspace(split=split)
    t.train_from_iterator(corpus, trainers.UnigramTrainer(vocab_size=140, unk_token="<unk>", special_tokens=["<unk>", "<s>", "</s>"], show_progress=False))
    j = json.loads(t.to_str()); v = [(a, round(s, 6)) for a, s in j["model"]["vocab"]]
    if bf: v += [("<0x%02X>" % i, 0.0) for i in range(256)]
    t2 = Tokenizer(models.Unigram(v, 0, bf)); t2.normalizer = t.normalizer; t2.pre_tokenizer = P.Metaspace(split=split)
    t2.decoder = D.Sequence([D.ByteFallback(), D.Metaspace()]) if bf else D.Metaspace(); t2.add_special_tokens(["<unk>", "<s>", "</s>"]); out[name] = t2
res = []
rng = random.Random(7)
for name, t in out.items():
    j = json.loads(t.to_str()); j.pop("version"); j.pop("truncation"); j.pop("padding")
    if isinstance(j["model"].get("merges"), list): j["model"]["merges"] = [m if isinstance(m, str) else " ".join(m) for m in j["model"]["merges"]]
    enc = [t.encode(s, add_special_tokens=False).ids for s in texts]
    dec = [t.decode(e, skip_special_tokens=True) for e in enc]
    decs = [t.decode(e, skip_special_tokens=False) for e in enc]
    n = t.get_vocab_size()
    rand = [[rng.randrange(n + 2) for _ in range(rng.randrange(1, 14))] for _ in range(24)]
    res.append(dict(name=name, tokenizer=j, ids=enc, decoded=[None if d == s else d for d, s in zip(dec, texts)], kept=[None if d == s else d for d, s in zip(decs, texts)], random=[dict(ids=r, text=t.decode(r, skip_special_tokens=False)) for r in rand]))
with open(sys.argv[1], "w") as f:
    f.write('{"texts":' + json.dumps(texts) + ',\n"tokenizers":[\n' + ",\n".join(json.dumps(r, ensure_ascii=True, separators=(",", ":")) for r in res) + "\n]}\n")
print([ (r["name"], len(json.dumps(r))) for r in res])
