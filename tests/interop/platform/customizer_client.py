"""The Customizer as the nemo-microservices client sees it: every method of targets, configs and jobs, and what a job leaves."""
import json
import time
from importlib.metadata import version
from pathlib import Path

import nemo_microservices as nemo
from checks import Report
from tic_tac_toe import moves
from huggingface_hub import HfApi

report = Report()
url = report.job["url"]
client = nemo.NeMoMicroservices(base_url=url, inference_base_url=url + "/nim")
hub = HfApi(endpoint=url + "/v1/hf", token="local")
NS = "customizer-ns"
LIMIT_S = 120


def upload(name, files):
    hub.create_repo(f"{NS}/{name}", repo_type="dataset", exist_ok=True)
    client.datasets.create(name=name, namespace=NS, files_url=f"hf://datasets/{NS}/{name}")
    for path, rows in files.items():
        content = rows if isinstance(rows, bytes) else "\n".join(json.dumps(row) for row in rows).encode()
        hub.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=f"{NS}/{name}", repo_type="dataset")


def ended(job):
    """The job's status once it has ended, and every status seen on the way."""
    seen = []
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        status = client.customization.jobs.status(job.id)
        if not seen or seen[-1] != status.status:
            seen.append(status.status)
        if status.status in ("completed", "failed", "cancelled"):
            return status, seen
        time.sleep(0.1)
    raise TimeoutError(f"{job.id} has not ended: {seen}")


def seeded():
    """The config of the example's base model, as `ns/name`."""
    config = client.customization.configs.list().data[0]
    return config, f"{config.namespace}/{config.name}"


# As the toolkit sends them: the `dpo` block is always there.
DPO = {"training_type": "dpo", "finetuning_type": "all_weights", "epochs": 2, "batch_size": 8, "learning_rate": 1e-3,
       "dpo": {"ref_policy_kl_penalty": 0.1, "preference_loss_weight": 1.0, "preference_average_log_probs": False, "sft_loss_weight": 0.0}}


def targets(check):
    first = client.customization.targets.list().data[0]
    check.equal("the base model is one", (first.status, first.enabled), ("ready", True))
    check.true("with its size", first.num_parameters == 130_304, first)
    hub.create_repo(f"{NS}/own-base")
    hub.upload_folder(folder_path=report.job["base_model"], repo_id=f"{NS}/own-base")
    own = {"name": "t@1", "namespace": NS, "num_parameters": 130_304, "precision": "fp32", "model_uri": f"hf://{NS}/own-base"}
    made = client.customization.targets.create(**own, enabled=False, base_model="nobody/model", description="a target", custom_fields={"a": "b"})
    check.equal("create", (made.namespace, made.name, made.num_parameters, made.enabled), (NS, "t@1", 130_304, False))
    until = time.monotonic() + LIMIT_S
    while (got := client.customization.targets.retrieve("t@1", namespace=NS)).status != "ready" and time.monotonic() < until:
        time.sleep(0.1)
    check.equal("it is fetched", (got.status, got.id, got.model_uri), ("ready", made.id, own["model_uri"]))
    changed = client.customization.targets.update("t@1", namespace=NS, description="changed")
    check.equal("update", (changed.description, changed.num_parameters), ("changed", 130_304))
    names = lambda **given: [each.name for each in client.customization.targets.list(filter=given)]
    check.equal("by namespace", names(namespace=NS), ["t@1"])
    check.equal("by base model", names(base_model="nobody/model"), ["t@1"])
    check.equal("by name", names(name="t@1"), ["t@1"])
    check.equal("disabled", names(enabled=False), ["t@1"])
    check.true("ready", first.name in names(status="ready"), names(status="ready"))
    check.raises("twice", nemo.ConflictError, lambda: client.customization.targets.create(**own))
    check.raises("half of it", nemo.UnprocessableEntityError, lambda: client.customization.targets.create(**{**own, "precision": nemo.omit}))
    error = check.raises("of a registry that is not here", nemo.UnprocessableEntityError,
                         lambda: client.customization.targets.create(**{**own, "name": "u", "model_uri": "ngc://nvidia/nemo/llama:2.0"}))
    check.true("is told", "model_uri" in str(error), error)
    client.customization.targets.delete("t@1", namespace=NS)
    check.raises("it is gone", nemo.NotFoundError, lambda: client.customization.targets.retrieve("t@1", namespace=NS))


def configs(check):
    first, name = seeded()
    target = client.customization.targets.list().data[0]
    check.true("the base model's", first.max_seq_length > 0 and len(first.training_options) > 0, first)
    kinds = {(each.training_type, each.finetuning_type) for each in first.training_options}
    check.true("DPO and SFT, whole and LoRA", {("dpo", "all_weights"), ("dpo", "lora"), ("sft", "all_weights"), ("sft", "lora")} <= kinds, kinds)
    check.equal("retrieve by a name with @ and +", client.customization.configs.retrieve(first.name, namespace=first.namespace).name, first.name)
    option = {"training_type": "dpo", "finetuning_type": "all_weights", "num_gpus": 1, "micro_batch_size": 1}
    made = client.customization.configs.create(
        name="own@v1.0.0+cpu", namespace=NS, target=f"{target.namespace}/{target.name}", max_seq_length=128, training_options=[option],
        training_precision="fp32", prompt_template="{prompt} {completion}", description="a config", custom_fields={"a": 1})
    check.equal("create", (made.namespace, made.name, made.max_seq_length), (NS, "own@v1.0.0+cpu", 128))
    got = client.customization.configs.retrieve("own@v1.0.0+cpu", namespace=NS)
    check.equal("retrieve", (got.name, got.max_seq_length, got.training_options[0].micro_batch_size), (made.name, 128, 1))
    changed = client.customization.configs.update("own@v1.0.0+cpu", namespace=NS, max_seq_length=64,
                                                  add_training_options=[{**option, "training_type": "sft"}])
    check.equal("update", (changed.max_seq_length, sorted(each.training_type for each in changed.training_options)), (64, ["dpo", "sft"]))
    changed = client.customization.configs.update("own@v1.0.0+cpu", namespace=NS, remove_training_options=[
        {"training_type": "sft", "finetuning_type": "all_weights"}])
    check.equal("take an option away", [each.training_type for each in changed.training_options], ["dpo"])
    names = lambda **given: [each.name for each in client.customization.configs.list(filter=given)]
    check.equal("by namespace", names(namespace=NS), ["own@v1.0.0+cpu"])
    check.equal("by name", names(name="own@v1.0.0+cpu"), ["own@v1.0.0+cpu"])
    check.true("by training type", made.name in names(training_type="dpo") and made.name not in names(training_type="sft"), names())
    check.true("by finetuning type", made.name not in names(finetuning_type="lora") and first.name in names(finetuning_type="lora"), names())
    check.true("by target", made.name in names(target_name=target.name), names(target_name=target.name))
    check.equal("sorted", [each.name for each in client.customization.configs.list(sort="-name")],
                sorted((each.name for each in client.customization.configs.list()), reverse=True))
    check.equal("all, page by page", len(list(client.customization.configs.list(page_size=1))), len(client.customization.configs.list().data))
    check.raises("twice", nemo.ConflictError, lambda: client.customization.configs.create(
        name="own@v1.0.0+cpu", namespace=NS, target=f"{target.namespace}/{target.name}", max_seq_length=128, training_options=[option]))
    client.customization.configs.delete("own@v1.0.0+cpu", namespace=NS)
    check.raises("it is gone", nemo.NotFoundError, lambda: client.customization.configs.retrieve("own@v1.0.0+cpu", namespace=NS))


def dpo_job(check):
    _, config = seeded()
    upload("rows", {"training/training_file.jsonl": moves(40, 1), "validation/validation_file.jsonl": moves(8, 2)})
    # What the toolkit sends, and no more: no name, no output model.
    job = client.customization.jobs.create(config=config, dataset={"name": "rows", "namespace": NS}, hyperparameters=DPO)
    check.true("id", job.id.startswith("cust-"), job.id)
    check.equal("as it was asked", (job.config, job.dataset, job.namespace), (config, f"{NS}/rows", "default"))
    check.equal("hyperparameters", (job.hyperparameters.epochs, job.hyperparameters.batch_size, job.hyperparameters.dpo.ref_policy_kl_penalty), (2, 8, 0.1))
    check.true("an output model is named", job.output_model.startswith("default/") and job.output_model.endswith(f"@{job.id}"), job.output_model)
    check.true("it waits", job.status in ("created", "pending", "running"), job.status)
    check.equal("its log begins", job.status_details.status_logs[0].message, "created")
    status, seen = ended(job)
    check.equal("it ends well", status.status, "completed")
    check.true("by the life cycle", [each for each in ("created", "pending", "running", "completed") if each in seen] == seen, seen)
    check.equal("progress", (status.percentage_done, status.epochs_completed, status.steps_completed, status.steps_per_epoch), (100.0, 2, 10, 5))
    check.true("losses", status.train_loss > 0 and status.val_loss > 0, status)
    check.true("the best epoch", status.best_epoch in (1, 2), status.best_epoch)
    check.true("time", status.elapsed_time > 0, status.elapsed_time)
    metrics = status.metrics
    check.true("series of losses", len(metrics.metrics.val_loss) >= 2 and {"train_loss", "val_loss"} <= set(metrics.keys), metrics)
    check.true("step by step", all(point.step is not None and point.value > 0 and point.timestamp for point in metrics.metrics.val_loss), metrics)
    got = client.customization.jobs.retrieve(job.id)
    check.equal("retrieve", (got.id, got.status, got.status_details.percentage_done), (job.id, "completed", 100.0))
    check.true("the snapshot of its config", got.config_snapshot.training_option.training_type == "dpo" and bool(got.config_snapshot.base_model), got.config_snapshot)
    logs = client.customization.jobs.container_logs(job.id)
    check.true("container_logs", logs.entries is not None, logs)
    namespace, name = job.output_model.split("/")
    entity = client.models.retrieve(name, namespace=namespace)
    check.equal("the model is registered", (entity.artifact.status, entity.base_model), ("upload_completed", got.config_snapshot.base_model))
    bare, revision = name.split("@")
    files = hub.list_repo_files(f"{namespace}/{bare}", revision=revision)
    check.true("its files are in the Datastore", {"config.json", "model.safetensors", "tokenizer.json"} <= set(files), files)
    folder = Path(hub.snapshot_download(f"{namespace}/{bare}", revision=revision, local_dir=str(Path(report.job["dir"]) / "model")))
    check.true("and can be had", (folder / "model.safetensors").stat().st_size > 400_000, list(folder.iterdir()))


def lora_and_sft(check):
    _, config = seeded()
    rows = [{"messages": row["prompt"] + [{"role": "assistant", "content": row["chosen_response"]}]} for row in moves(30, 3)]
    upload("chats", {"training/chats.jsonl": rows})
    job = client.customization.jobs.create(
        config=config, dataset=f"{NS}/chats", namespace=NS, output_model=f"{NS}/adapter@v1", name="an-sft-job", description="LoRA", project="p",
        hyperparameters={"training_type": "sft", "finetuning_type": "lora", "epochs": 1, "batch_size": 8, "learning_rate": 1e-3,
                         "lora": {"adapter_dim": 8}}, custom_fields={"a": "b"})
    check.equal("a version of one's own", job.output_model, f"{NS}/adapter@v1")
    check.equal("a default is filled in", (job.hyperparameters.lora.adapter_dim, job.hyperparameters.lora.alpha), (8, 16))
    check.equal("what was told", (job.namespace, job.description, job.project, job.custom_fields), (NS, "LoRA", "p", {"a": "b"}))
    status, _ = ended(job)
    check.equal("it ends well", status.status, "completed")
    files = hub.list_repo_files(f"{NS}/adapter", revision="v1")
    check.true("an adapter", {"adapter_config.json", "adapter_model.safetensors"} <= set(files), files)
    check.equal("the entity says so", client.models.retrieve("adapter@v1", namespace=NS).peft.finetuning_type, "lora")
    error = check.raises("the same output again", nemo.ConflictError, lambda: client.customization.jobs.create(
        config=config, dataset=f"{NS}/chats", output_model=f"{NS}/adapter@v1",
        hyperparameters={"training_type": "sft", "finetuning_type": "lora", "epochs": 1}))
    check.true("is told", "already exists" in str(error), error)


def bad_jobs(check):
    _, config = seeded()
    create = client.customization.jobs.create
    good = {"config": config, "dataset": f"{NS}/rows", "hyperparameters": DPO}
    check.raises("an unknown config", nemo.NotFoundError, lambda: create(**{**good, "config": "no/such@v1+A100"}))
    check.raises("an unknown data set", nemo.NotFoundError, lambda: create(**{**good, "dataset": f"{NS}/none"}))
    error = check.raises("an unknown job", nemo.NotFoundError, lambda: client.customization.jobs.retrieve("cust-none"))
    check.true("by its id", "cust-none" in str(error), error)
    for name, given in {
        "epochs of none": {"epochs": 0}, "a rate that is none": {"learning_rate": -1.0}, "what no engine has": {"training_type": "grpo", "grpo": {"environment": {"name": "workbench"}}},
        "an unknown optimizer": {"optimizer": "sgd"}, "a batch of text": {"batch_size": "many"},
    }.items():
        error = check.raises(name, nemo.UnprocessableEntityError, lambda: create(**{**good, "hyperparameters": {**DPO, **given}}))
        field = next(iter(given))
        check.true(f"{name}: the field is named", error is not None and field in str(error.body), error)
    rows = moves(10, 4)
    broken = "\n".join([*(json.dumps(row) for row in rows[:6]), '{"prompt": "x", "chosen_response": "y"}', *(json.dumps(row) for row in rows[6:])])
    upload("broken", {"training/training_file.jsonl": broken.encode()})
    status, _ = ended(create(**{**good, "dataset": f"{NS}/broken"}))
    check.equal("a bad row fails the job", status.status, "failed")
    details = " ".join(each.detail or "" for each in status.status_logs)
    check.true("with file and line", "training_file.jsonl" in details and "7" in details, status.status_logs)
    check.true("progress is a number", isinstance(status.percentage_done, float), status.percentage_done)


def lists(check):
    ids = lambda **given: {each.id for each in client.customization.jobs.list(filter=given)}
    every = ids()
    check.equal("three", len(every), 3)
    check.equal("by namespace", len(ids(namespace=NS)), 1)
    check.equal("by status", (len(ids(status="completed")), len(ids(status="failed"))), (2, 1))
    check.equal("by training type", (len(ids(training_type="dpo")), len(ids(training_type="sft"))), (2, 1))
    check.equal("by finetuning type", len(ids(finetuning_type="lora")), 1)
    check.equal("by project", len(ids(project="p")), 1)
    check.equal("by size of batch", len(ids(batch_size=8)), 3)
    check.equal("by epochs", len(ids(epochs=2)), 2)
    newest = [each.created_at for each in client.customization.jobs.list(sort="-created_at")]
    check.equal("newest first", newest, sorted(newest, reverse=True))
    check.equal("page by page", {each.id for each in client.customization.jobs.list(page_size=2)}, every)


def cancelling(check):
    _, config = seeded()
    long = {"config": config, "dataset": f"{NS}/rows", "hyperparameters": {**DPO, "epochs": 5000}}
    running = client.customization.jobs.create(**long)
    until = time.monotonic() + LIMIT_S
    while client.customization.jobs.status(running.id).status != "running" and time.monotonic() < until:
        time.sleep(0.1)
    waiting = client.customization.jobs.create(**long)
    told = client.customization.jobs.cancel(waiting.id)
    check.equal("one that waits", (told.id, told.status in ("cancelling", "cancelled")), (waiting.id, True))
    check.equal("ends so", ended(waiting)[0].status, "cancelled")
    status = client.customization.jobs.status(running.id)
    check.true("its progress is a number meanwhile", isinstance(status.percentage_done, float) and status.percentage_done < 100, status)
    client.customization.jobs.cancel(running.id)
    check.equal("one that runs", ended(running)[0].status, "cancelled")
    check.raises("one that has ended", nemo.ConflictError, lambda: client.customization.jobs.cancel(running.id))
    namespace, name = running.output_model.split("/")
    try:
        left = client.models.retrieve(name, namespace=namespace).artifact.status
    except nemo.NotFoundError:
        left = "none"
    check.true("no model is left that looks whole", left != "upload_completed", left)


def other_forms(check):
    """Rows and requests in the other forms that the service documents."""
    first, config = seeded()
    one = {**DPO, "epochs": 1}
    sft = {"training_type": "sft", "finetuning_type": "all_weights", "epochs": 1, "batch_size": 8}
    plain = [{**row, "prompt": row["prompt"][-1]["content"]} for row in moves(20, 6)]
    spaced = "\n\n".join(json.dumps(row) for row in plain) + "\n\n"
    upload("plain", {"training/training_file.jsonl": spaced.encode(), "validation/validation_file.jsonl": plain[:3]})
    check.equal("prompts that are texts, as the toolkit writes them unless told", ended(client.customization.jobs.create(
        config=config, dataset=f"{NS}/plain", hyperparameters=one))[0].status, "completed")
    upload("pairs", {"training/a.jsonl": [{"prompt": row["prompt"], "completion": row["chosen_response"]} for row in plain[:10]],
                     "training/b.jsonl": [{"prompt": row["prompt"], "completion": row["chosen_response"]} for row in plain[10:]]})
    status = ended(client.customization.jobs.create(config=config, dataset=f"{NS}/pairs", hyperparameters=sft))[0]
    check.equal("two files of prompts and completions, a tenth of them for validation", (status.status, status.steps_completed), ("completed", 3))
    check.true("with its loss", status.val_loss is not None and status.val_loss > 0, status.val_loss)
    files = {"name": "rows", "namespace": NS, "files_url": f"hf://datasets/{NS}/rows"}
    job = client.customization.jobs.create(config=config, dataset=files, hyperparameters=one)
    check.equal("a data set by its files", (job.dataset, ended(job)[0].status), (f"{NS}/rows", "completed"))
    target = client.customization.targets.list().data[0]
    option = {"training_type": "dpo", "finetuning_type": "all_weights", "num_gpus": 1, "micro_batch_size": 1}
    job = client.customization.jobs.create(dataset=f"{NS}/rows", hyperparameters=one, config={
        "target": f"{target.namespace}/{target.name}", "max_seq_length": 128, "training_options": [option]})
    check.equal("a config within the job", (ended(job)[0].status, job.config_snapshot.max_seq_length), ("completed", 128))
    job = client.customization.jobs.create(config=config, dataset=f"{NS}/rows", hyperparameters={**one, "max_steps": 2, "seed": 7, "warmup_steps": 1,
                                           "weight_decay": 0.1, "adam_beta1": 0.9, "adam_beta2": 0.95, "min_learning_rate": 1e-5, "log_every_n_steps": 1,
                                           "val_check_interval": 1, "optimizer": "adamw_with_cosine_annealing", "sequence_packing_enabled": True})
    status = ended(job)[0]
    check.equal("every hyperparameter that an engine can honour", (status.status, status.steps_completed), ("completed", 2))
    check.equal("a loss for each step", len(status.metrics.metrics.train_loss), 2)
    check.true("what has no effect is told", any("sequence_packing" in each.message for each in job.warnings or []), job.warnings)


client.namespaces.create(id=NS)
report.run("targets", targets)
report.run("configs", configs)
report.run("a DPO job", dpo_job)
report.run("a LoRA job on chats", lora_and_sft)
report.run("jobs that cannot be", bad_jobs)
report.run("lists of jobs", lists)
report.run("cancelling", cancelling)
report.run("other forms", other_forms)
report.write({"nemo-microservices": version("nemo-microservices"), "huggingface_hub": version("huggingface_hub")})
