"""Loads and writes model folders with transformers, as the JSON job in argv[1] says; the report goes to argv[2]."""
import hashlib
import json
import sys

import torch
from transformers import AutoConfig, AutoModelForCausalLM

with open(sys.argv[1], encoding="utf8") as file:
    job = json.load(file)


def hashes(model):
    """Of each tensor's numbers in float32, by name."""
    state = {name: tensor for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    return {name: hashlib.sha256(t.float().contiguous().numpy().tobytes()).hexdigest() for name, t in state.items()}


def describe(model):
    rotary = model.model.rotary_emb
    return {
        "class": type(model).__name__,
        "hashes": hashes(model),
        "frequencies": rotary.inv_freq.double().tolist(),
        "eos_token_id": model.config.eos_token_id,
        "dtype": str(model.dtype),
    }


report = {"loaded": [], "written": []}
for folder in job["load"]:
    model, info = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", output_loading_info=True)
    faults = {key: sorted(map(str, value)) for key, value in info.items() if value}
    report["loaded"].append({**describe(model), "faults": faults})
for entry in job["write"]:
    torch.manual_seed(entry["seed"])
    config = AutoConfig.for_model(**entry["config"])
    model = AutoModelForCausalLM.from_config(config)
    # Before they are rounded with the rest, which from_pretrained does not do.
    frequencies = model.model.rotary_emb.inv_freq.double().tolist()
    model = model.to(getattr(torch, entry["dtype"]))
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            # Biases and norms begin as zeros and ones.
            if tensor.dim() == 1:
                tensor.add_(torch.randn(tensor.shape) * 0.1)
    model.save_pretrained(entry["folder"], max_shard_size=entry["max_shard_size"])
    report["written"].append({**describe(model), "frequencies": frequencies})
with open(sys.argv[2], "w", encoding="utf8") as file:
    json.dump(report, file)
