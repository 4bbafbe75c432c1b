"""Loads an adapter into a model with PEFT and merges it; makes one of PEFT's own. Job in argv[1], report to argv[2]."""
import json
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

with open(sys.argv[1], encoding="utf8") as file:
    job = json.load(file)
ids = torch.tensor([job["ids"]])


def base():
    return AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)


def merged(model, target):
    """The logits with the adapter beside the weights; then the weights with it inside, to a file."""
    model.eval()
    with torch.no_grad():
        logits = model(ids).logits[0].tolist()
    whole = model.merge_and_unload()
    state = {name: t.contiguous() for name, t in whole.state_dict().items() if name != "lm_head.weight"}
    save_file(state, target)
    return logits


report = {"ours": merged(PeftModel.from_pretrained(base(), job["adapter"]), job["merged"])}

torch.manual_seed(1)
config = LoraConfig(r=4, lora_alpha=6, target_modules=job["target_modules"], task_type="CAUSAL_LM", init_lora_weights=False)
theirs = get_peft_model(base(), config)
theirs.save_pretrained(job["theirs"])
report["theirs"] = merged(theirs, job["theirs_merged"])

# The merged folder that we wrote, as a model without any adapter.
with torch.no_grad():
    plain = AutoModelForCausalLM.from_pretrained(job["merged_folder"], dtype=torch.float32)
    report["folder"] = plain(ids).logits[0].tolist()
with open(sys.argv[2], "w", encoding="utf8") as file:
    json.dump(report, file)
