"""What transformers makes of texts and conversations: cases in (argv[2]), results out (argv[3]), for the model folder argv[1]."""
import json
import sys

from transformers import AutoTokenizer

folder, source, target = sys.argv[1:4]
with open(source, encoding="utf8") as file:
    cases = json.load(file)
tokenizer = AutoTokenizer.from_pretrained(folder)

encoded = [tokenizer.encode(text, add_special_tokens=False) for text in cases["texts"]]
conversations = []
for messages in cases["conversations"]:
    rendered = {}
    for name, prompt in (("prompt", True), ("whole", False)):
        rendered[name] = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)
        rendered[name + "_ids"] = tokenizer.apply_chat_template(
            messages, tokenize=True, add_generation_prompt=prompt, return_dict=False
        )
    conversations.append(rendered)

with open(target, "w", encoding="utf8") as file:
    json.dump({
        "vocab_size": len(tokenizer),
        "bos_id": tokenizer.bos_token_id,
        "eos_id": tokenizer.eos_token_id,
        "pad_id": tokenizer.pad_token_id,
        "ids": encoded,
        "decoded": [tokenizer.decode(ids, skip_special_tokens=True) for ids in encoded],
        "kept": [tokenizer.decode(ids, skip_special_tokens=False) for ids in encoded],
        "random": [tokenizer.decode(ids, skip_special_tokens=False) for ids in cases["random"]],
        "conversations": conversations,
    }, file)
