"""Trains with TRL as each job of argv[1] says; writes what every step logged, and the ids of the rows, to argv[2]."""
import json
import logging
import sys
import tempfile

import torch
from datasets import Dataset
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

logging.disable(logging.WARNING)

KINDS = {
    "dpo": (DPOTrainer, DPOConfig, ["prompt_ids", "chosen_ids", "rejected_ids"]),
    "sft": (SFTTrainer, SFTConfig, ["input_ids", "labels"]),
}


class Keep(TrainerCallback):
    def __init__(self):
        self.logged = []

    def on_log(self, args, state, control, logs=None, **kwargs):
        # The last line has totals of the run.
        if "loss" in logs:
            self.logged.append({"step": state.global_step, **logs})


def train(job, output):
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    if job["adapter"] is not None:
        model = PeftModel.from_pretrained(model, job["adapter"], is_trainable=True)
    trainer_class, config_class, columns = KINDS[job["training_type"]]
    config = config_class(
        output_dir=output,
        train_sampling_strategy="sequential",
        optim="adamw_torch",
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
        gradient_checkpointing=False,
        **job["arguments"],
    )
    keep = Keep()
    trainer = trainer_class(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(job["rows"]),
        processing_class=AutoTokenizer.from_pretrained(job["model"]),
        callbacks=[keep],
    )
    rows = [{name: row[name] for name in columns} for row in trainer.train_dataset]
    trainer.train()
    return {"steps": keep.logged, "rows": rows}


with open(sys.argv[1], encoding="utf8") as file:
    jobs = json.load(file)
results = {}
for name, job in jobs.items():
    with tempfile.TemporaryDirectory() as output:
        results[name] = train(job, output)
with open(sys.argv[2], "w", encoding="utf8") as file:
    json.dump(results, file)
