"""What transformers makes of a small chat model: ids, probabilities of replies, greedy replies. Job in argv[1], report to argv[2]."""
import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

with open(sys.argv[1], encoding="utf8") as file:
    job = json.load(file)

tokenizer = AutoTokenizer.from_pretrained(job["model"])
model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32).eval()


def ids_of(text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def asked(messages):
    """Ids of a conversation, the log-probability of each reply with its end, and what greedy decoding says."""
    prompt = ids_of(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    # Every reply of the game has as many tokens as the others: one batch, nothing padded.
    completions = [ids_of(reply + tokenizer.eos_token) for reply in job["replies"]]
    logits = model(torch.tensor([prompt + ids for ids in completions])).logits[:, len(prompt) - 1 : -1]
    chances = logits.log_softmax(-1).gather(2, torch.tensor(completions)[:, :, None]).sum((1, 2)).exp().tolist()
    made = model.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=16)[0, len(prompt) :]
    return {"ids": prompt, "chances": chances, "greedy": tokenizer.decode(made, skip_special_tokens=True)}


with torch.no_grad():
    report = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "conversations": [asked(messages) for messages in job["conversations"]],
        "texts": [{"ids": ids_of(text), "decoded": tokenizer.decode(ids_of(text))} for text in job["texts"]],
    }
with open(sys.argv[2], "w", encoding="utf8") as file:
    json.dump(report, file)
