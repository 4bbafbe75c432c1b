/**
 * The Python program that trains with TRL's `DPOTrainer`, as the JSON file beside it says. Written for TRL 1.x; what it
 * logs goes to a file of JSON lines, since the trainer's own state is written with checkpoints only.
 */
export const TRAIN_DPO = `"""Trains by DPO with TRL, as a JSON file says: accelerate launch train_dpo.py train_dpo.json"""

import json
import math
import os
import sys
import time

from datasets import load_dataset
from transformers import AutoTokenizer, TrainerCallback
from trl import DPOConfig, DPOTrainer


class MetricLines(TrainerCallback):
    """Appends what is logged to a file, one JSON object a line."""

    def __init__(self, path):
        self.path = path

    def write(self, state, values):
        if not state.is_world_process_zero:
            return
        line = {"step": state.global_step, "time": time.time(), **values}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\\n")

    def on_train_begin(self, args, state, control, **kwargs):
        self.write(state, {"event": "begin", "total_steps": state.max_steps})

    def on_log(self, args, state, control, logs=None, **kwargs):
        numbers = {}
        for name, value in (logs or {}).items():
            try:
                number = float(value)
            except (TypeError, ValueError):
                continue
            # JSON has no word for what is no number.
            numbers[name] = number if math.isfinite(number) else str(number)
        self.write(state, numbers)

    def on_train_end(self, args, state, control, **kwargs):
        self.write(state, {"event": "end"})


def last_checkpoint(folder):
    """The newest checkpoint that was written to its end, which is its trainer_state.json; None where there is none."""
    steps = {}
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        kind, _, step = name.partition("-")
        if kind == "checkpoint" and step.isdigit() and os.path.isfile(os.path.join(folder, name, "trainer_state.json")):
            steps[int(step)] = os.path.join(folder, name)
    return steps[max(steps)] if steps else None


def main(path):
    with open(path, encoding="utf-8") as file:
        job = json.load(file)
    files = {"train": job["training_file"], "validation": job["validation_file"]}
    dataset = load_dataset("json", data_files=files)
    arguments = DPOConfig(**job["arguments"])
    peft_config = None
    if job["lora"] is not None:
        from peft import LoraConfig

        peft_config = LoraConfig(**job["lora"])
    trainer = DPOTrainer(
        model=job["model_name"],
        args=arguments,
        train_dataset=dataset["train"],
        eval_dataset=dataset["validation"],
        processing_class=AutoTokenizer.from_pretrained(job["model_name"]),
        peft_config=peft_config,
        callbacks=[MetricLines(job["metrics_file"])],
    )
    # A run that was killed goes on from its last checkpoint.
    trainer.train(resume_from_checkpoint=last_checkpoint(arguments.output_dir))
    if job["merge"]:
        merged = trainer.accelerator.unwrap_model(trainer.model).merge_and_unload()
        if trainer.is_world_process_zero():
            merged.save_pretrained(job["model_dir"])
            trainer.processing_class.save_pretrained(job["model_dir"])
    else:
        trainer.save_model(job["model_dir"])


if __name__ == "__main__":
    main(sys.argv[1])
`;
