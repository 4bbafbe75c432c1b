"""One training case by TRL, or by PyTorch alone, in this process: the case as JSON in argv[1], its figures as JSON on stdout."""
import json
import logging
import os
import resource
import sys
import tempfile
import time

# Chosen for other libraries on some machines; torch's products are oneDNN's and MKL's, and should choose for themselves.
os.environ.pop("OPENBLAS_CORETYPE", None)
os.environ["TQDM_DISABLE"] = os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
import torch
import torch.nn.functional as F

case = json.loads(sys.argv[1])
torch.set_num_threads(case["threads"])
torch.manual_seed(1)
generator = torch.Generator().manual_seed(1)


def matrix_peak(runs=30):
    """GFLOP/s of torch's matrix product at its best, of the same size as `matrix-peak.ts` takes."""
    a, b = torch.full((2048, 576), 0.5), torch.full((1536, 576), 0.5)
    best = float("inf")
    for _ in range(runs):
        began = time.perf_counter()
        torch.matmul(a, b.T)
        best = min(best, time.perf_counter() - began)
    return 2 * 2048 * 576 * 1536 / best / 1e9


class Steps:
    """Wall and processor time of each step; the first one is not counted."""

    def __init__(self):
        self.wall, self.cpu = [], []

    def begin(self):
        self.began = time.perf_counter(), time.process_time()

    def end(self):
        self.wall.append(time.perf_counter() - self.began[0])
        self.cpu.append(time.process_time() - self.began[1])


def dpo_by_trl(steps):
    """DPO of random rows with TRL, the reference's log-probabilities made before the first step. Gives the tokens of a step."""
    from datasets import Dataset
    from peft import LoraConfig
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, TrainerCallback
    from trl import DPOConfig, DPOTrainer

    logging.disable(logging.WARNING)
    config, pairs = LlamaConfig(**case["config"]), case["pairs"]
    # A word is a token; the last of a reply is the end token, which TRL adds.
    special = ["<unk>", "<end>", "<pad>"]
    names = special + [f"w{i}" for i in range(len(special), config.vocab_size)]
    words = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", eos_token="<end>", pad_token="<pad>"
    )

    def text(count):
        ids = torch.randint(len(special), config.vocab_size, (count,), generator=generator)
        return " ".join(names[i] for i in ids.tolist()) + " "

    rows = [
        {"prompt": text(case["prompt"]), "chosen": text(case["reply"] - 1), "rejected": text(case["reply"] - 1)}
        for _ in range(pairs * (case["steps"] + 1))
    ]

    class Clock(TrainerCallback):
        def on_step_begin(self, *_, **__):
            steps.begin()

        def on_step_end(self, *_, **__):
            steps.end()

    with tempfile.TemporaryDirectory() as output:
        trainer = DPOTrainer(
            model=LlamaForCausalLM(config),
            args=DPOConfig(
                output_dir=output,
                per_device_train_batch_size=pairs,
                max_steps=case["steps"] + 1,
                learning_rate=1e-6,
                precompute_ref_log_probs=True,
                gradient_checkpointing=case["recompute"],
                save_strategy="no",
                logging_strategy="no",
                report_to=[],
                use_cpu=True,
                bf16=False,
                disable_tqdm=True,
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            callbacks=[Clock()],
            peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
            if case["lora"]
            else None,
        )
        shape = next(iter(trainer.get_train_dataloader()))["input_ids"].shape
        if shape != (2 * pairs, case["prompt"] + case["reply"]):
            raise RuntimeError(f"a batch has shape {tuple(shape)}")
        trainer.train()
    return shape.numel()


class Llama(torch.nn.Module):
    """The same model with nothing around it: torch's own attention and norms, one product for q, k and v."""

    def __init__(self, config):
        super().__init__()
        width, self.heads, layers = config["hidden_size"], config["num_attention_heads"], config["num_hidden_layers"]
        inner, length = config["intermediate_size"], case["prompt"] + case["reply"]
        if config["num_key_value_heads"] != self.heads:
            raise ValueError("every head has its own keys here")

        def matrices(out, into):
            return torch.nn.ParameterList([torch.nn.Parameter(torch.randn(out, into) * 0.05) for _ in range(layers)])

        self.embed = torch.nn.Parameter(torch.randn(config["vocab_size"], width) * 0.05)
        self.norms = torch.nn.ParameterList([torch.nn.Parameter(torch.ones(width)) for _ in range(2 * layers + 1)])
        self.qkv, self.out = matrices(3 * width, width), matrices(width, width)
        self.gate_up, self.down = matrices(2 * inner, width), matrices(width, inner)
        half = width // self.heads // 2
        angles = torch.outer(torch.arange(length), config["rope_theta"] ** (-torch.arange(half) / half))
        self.register_buffer("cos", torch.cat([angles.cos()] * 2, -1))
        self.register_buffer("sin", torch.cat([angles.sin()] * 2, -1))

    def rotated(self, x):
        one, other = x.chunk(2, -1)
        length = x.shape[-2]
        return x * self.cos[:length] + torch.cat([-other, one], -1) * self.sin[:length]

    def forward(self, ids):
        x = F.embedding(ids, self.embed)
        rows, length, width = x.shape
        for layer, (qkv, out, gate_up, down) in enumerate(zip(self.qkv, self.out, self.gate_up, self.down)):
            h = F.rms_norm(x, (width,), self.norms[2 * layer])
            q, k, v = F.linear(h, qkv).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            h = F.scaled_dot_product_attention(self.rotated(q), self.rotated(k), v, is_causal=True)
            x = x + F.linear(h.transpose(1, 2).reshape(rows, length, width), out)
            gate, up = F.linear(F.rms_norm(x, (width,), self.norms[2 * layer + 1]), gate_up).chunk(2, -1)
            x = x + F.linear(F.silu(gate) * up, down)
        return F.rms_norm(x, (width,), self.norms[-1])


def sft_by_hand(steps):
    """SFT of random rows with PyTorch alone: logits of the replies' tokens only, fused AdamW. Gives the tokens of a step."""
    model = Llama(case["config"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    rows, length = case["rows"], case["prompt"] + case["reply"]
    vocabulary = case["config"]["vocab_size"]
    for _ in range(case["steps"] + 1):
        ids = torch.randint(0, vocabulary, (rows, length), generator=generator)
        steps.begin()
        hidden = model(ids[:, :-1])[:, case["prompt"] - 1 :].flatten(0, 1)
        loss = F.cross_entropy(F.linear(hidden, model.embed), ids[:, case["prompt"] :].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
        steps.end()
    return rows * length


before = matrix_peak()
steps = Steps()
tokens = {"trl": dpo_by_trl, "torch": sft_by_hand}[case["peer"]](steps)
wall, cpu = sorted(steps.wall[1:]), steps.cpu[1:]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({
    "best_ms": 1000 * wall[0],
    "median_ms": 1000 * wall[len(wall) // 2],
    "cpu_ms": 1000 * sum(cpu) / len(cpu),
    "tokens": tokens,
    "peak_mb": peak / (2**20 if sys.platform == "darwin" else 2**10),
    "matrix_peak": [before, matrix_peak()],
}))
