"""Reads GGUF files with the gguf package and transformers, and dequantises blocks. Job in argv[1], report to argv[2]."""
import hashlib
import json
import os
import sys

import gguf
import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

with open(sys.argv[1], encoding="utf8") as file:
    job = json.load(file)


def hash_of(numbers):
    return hashlib.sha256(np.ascontiguousarray(numbers, dtype=np.float32).tobytes()).hexdigest()


report = {"blocks": {}, "models": [], "tokens": [], "splits": []}
for name, path in job["blocks"].items():
    kind = gguf.GGMLQuantizationType[name]
    bytes_ = np.fromfile(path, dtype=np.uint8)
    with np.errstate(all="ignore"):
        report["blocks"][name] = hash_of(gguf.dequantize(bytes_, kind))
for path in job["models"]:
    folder, file_name = os.path.split(path)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file_name, dtype=torch.float32)
    state = {name: tensor for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    report["models"].append({name: hash_of(tensor.numpy()) for name, tensor in state.items()})
for entry in job["tokens"]:
    folder, file_name = os.path.split(entry["gguf"])
    of_file = AutoTokenizer.from_pretrained(folder, gguf_file=file_name)
    of_folder = AutoTokenizer.from_pretrained(entry["folder"])
    conversation = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
    report["tokens"].append({
        "file": [of_file.encode(text, add_special_tokens=False) for text in entry["texts"]],
        "folder": [of_folder.encode(text, add_special_tokens=False) for text in entry["texts"]],
        "size": [len(of_file), len(of_folder)],
        "named": [[t.bos_token, t.eos_token, t.pad_token, t.unk_token] for t in (of_file, of_folder)],
        "templates": [
            t.apply_chat_template(conversation, tokenize=False) if entry["template"] else None for t in (of_file, of_folder)
        ],
    })


def pieces(tokenizer, texts):
    cut = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str
    return [[piece for piece, _ in cut(text)] for text in texts]


for entry in job["splits"]:
    folder, file_name = os.path.split(entry["gguf"])
    report["splits"].append({
        "file": pieces(AutoTokenizer.from_pretrained(folder, gguf_file=file_name), entry["texts"]),
        "folder": pieces(AutoTokenizer.from_pretrained(entry["folder"]), entry["texts"]),
    })
with open(sys.argv[2], "w", encoding="utf8") as file:
    json.dump(report, file)
