"""Logits of transformers for token ids, as float32 tensors in a file; greedy continuations. Job in argv[1], report to argv[2]."""
import json
import sys

import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

with open(sys.argv[1], encoding="utf8") as file:
    jobs = json.load(file)

report = []
for job in jobs:
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    if job["adapter"] is not None:
        model = PeftModel.from_pretrained(model, job["adapter"])
    model.eval()
    # A text goes on when its end token comes.
    model.generation_config.eos_token_id = None
    with torch.no_grad():
        logits = {str(i): model(torch.tensor([ids])).logits[0].contiguous() for i, ids in enumerate(job["ids"])}
        continued = []
        if job["new_tokens"] > 0:
            longest = max(map(len, job["ids"]))
            padded = torch.tensor([[0] * (longest - len(ids)) + ids for ids in job["ids"]])
            mask = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids in job["ids"]])
            made = model.generate(
                input_ids=padded, attention_mask=mask, max_new_tokens=job["new_tokens"], do_sample=False
            )
            continued = made[:, longest:].tolist()
    save_file(logits, job["logits"])
    report.append({"continued": continued})
with open(sys.argv[2], "w", encoding="utf8") as file:
    json.dump(report, file)
