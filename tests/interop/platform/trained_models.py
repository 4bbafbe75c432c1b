"""What the platform trained, as transformers and peft load it from the Datastore by its name: the same that the platform serves."""
import json
import os
import time
from importlib.metadata import version

from checks import Report
from tic_tac_toe import MOVE, moves

report = Report()
url = report.job["url"]
os.environ["HF_ENDPOINT"] = url + "/v1/hf"

import requests  # noqa: E402
import torch  # noqa: E402
from huggingface_hub import HfApi  # noqa: E402
from peft import PeftModel  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

NS = "trained-ns"
LIMIT_S = 120
asked = [row["prompt"] for row in moves(16, 9)]


def call(method, path, body=None):
    answer = requests.request(method, url + path, json=body, timeout=60)
    answer.raise_for_status()
    return answer.json()


def until(what, done):
    limit = time.monotonic() + LIMIT_S
    while not done(found := what()):
        if time.monotonic() > limit:
            raise TimeoutError(found)
        time.sleep(0.1)
    return found


def train_and_deploy(name, finetuning_type):
    config = call("GET", "/v1/customization/configs")["data"][0]
    job = call("POST", "/v1/customization/jobs", {
        "config": f"{config['namespace']}/{config['name']}", "dataset": f"{NS}/rows", "output_model": f"{NS}/{name}@v1",
        "hyperparameters": {"training_type": "dpo", "finetuning_type": finetuning_type, "epochs": 2, "batch_size": 8, "learning_rate": 2e-3}})
    path = f"/v1/customization/jobs/{job['id']}/status"
    ended = until(lambda: call("GET", path), lambda status: status["status"] in ("completed", "failed", "cancelled"))
    call("POST", "/v1/deployment/model-deployments", {"name": name, "namespace": NS, "config": {"model": f"{NS}/{name}@v1"}})
    path = f"/v1/deployment/model-deployments/{NS}/{name}"
    ready = until(lambda: call("GET", path), lambda each: each["status_details"]["status"] in ("ready", "failed"))
    return ended["status"], ready["status_details"]["status"]


def prepare(check):
    call("POST", "/v1/namespaces", {"id": NS})
    api = HfApi(token="local")
    api.create_repo(f"{NS}/rows", repo_type="dataset")
    content = "\n".join(json.dumps(row) for row in moves(64, 8)).encode()
    api.upload_file(path_or_fileobj=content, path_in_repo="training/rows.jsonl", repo_id=f"{NS}/rows", repo_type="dataset")
    call("POST", "/v1/datasets", {"name": "rows", "namespace": NS, "files_url": f"hf://datasets/{NS}/rows"})
    check.equal("all weights", train_and_deploy("whole", "all_weights"), ("completed", "ready"))
    check.equal("an adapter", train_and_deploy("adapter", "lora"), ("completed", "ready"))
    check.equal("an adapter, merged", train_and_deploy("merged", "lora_merged"), ("completed", "ready"))


def compare(check, model, tokenizer, name):
    """Greedy replies, and how likely each of their tokens was, here and there."""
    worst, same = 0.0, 0
    for messages in asked:
        served = call("POST", "/nim/v1/chat/completions", {
            "model": f"{NS}/{name}@v1", "messages": messages, "max_tokens": 16, "temperature": 0, "logprobs": True})["choices"][0]
        prompt = tokenizer(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True), add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            made = model.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=16)[0, len(prompt):]
            logits = model(torch.tensor([prompt + made.tolist()])).logits[0, len(prompt) - 1:-1]
        chances = logits.log_softmax(-1).gather(1, made[:, None])[:, 0].tolist()
        same += served["message"]["content"] == tokenizer.decode(made, skip_special_tokens=True)
        told = [each["logprob"] for each in served["logprobs"]["content"]]
        worst = max(worst, *(abs(here - there) for here, there in zip(told, chances)))
    check.equal("the same replies", same, len(asked))
    check.true("with the same chances", worst < 1e-4, worst)


def whole(check):
    for name in ("whole", "merged"):
        tokenizer = AutoTokenizer.from_pretrained(f"{NS}/{name}", revision="v1")
        model = AutoModelForCausalLM.from_pretrained(f"{NS}/{name}", revision="v1", dtype=torch.float32).eval()
        check.equal("parameters", sum(each.numel() for each in model.parameters()), 130_304)
        compare(check, model, tokenizer, name)


def adapter(check):
    tokenizer = AutoTokenizer.from_pretrained(report.job["base_model"])
    base = AutoModelForCausalLM.from_pretrained(report.job["base_model"], dtype=torch.float32)
    model = PeftModel.from_pretrained(base, f"{NS}/adapter", revision="v1").eval()
    check.true("an adapter", any("lora_A" in name for name, _ in model.named_parameters()))
    compare(check, model, tokenizer, "adapter")


def pushed(check):
    """A model that somebody trains elsewhere comes here the same way."""
    model = AutoModelForCausalLM.from_pretrained(report.job["base_model"])
    model.push_to_hub(f"{NS}/pushed", token="local")
    again = AutoModelForCausalLM.from_pretrained(f"{NS}/pushed")
    check.true("push_to_hub and back", all(torch.equal(here, there) for here, there in zip(model.parameters(), again.parameters())))


def they_differ(check):
    names = [f"{NS}/{name}@v1" for name in ("whole", "adapter", "merged")]
    base = call("GET", "/nim/v1/models")["data"][0]["id"]
    likely = {model: [call("POST", "/nim/v1/chat/completions", {
        "model": model, "messages": messages, "max_tokens": 16, "temperature": 0, "logprobs": True,
    })["choices"][0]["logprobs"]["content"][0]["logprob"] for messages in asked] for model in [base, *names]}
    check.equal("four models", len({json.dumps(each) for each in likely.values()}), 4)
    check.true("that play", all(MOVE.fullmatch(call("POST", "/nim/v1/chat/completions", {
        "model": model, "messages": asked[0], "max_tokens": 16, "temperature": 0})["choices"][0]["message"]["content"]) for model in names))


report.run("jobs and deployments", prepare)
report.run("all weights", whole)
report.run("an adapter", adapter)
report.run("push_to_hub", pushed)
report.run("they differ", they_differ)
report.write({name: version(name) for name in ("transformers", "peft", "torch", "huggingface_hub")})
