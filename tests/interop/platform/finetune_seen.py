"""What `pairwright finetune` made, as nemo-microservices and huggingface_hub see it."""
from importlib.metadata import version

import nemo_microservices as nemo
from checks import Report
from huggingface_hub import HfApi, hf_hub_download

report = Report()
job, url, facts = report.job, report.job["url"], report.job["made"]
client = nemo.NeMoMicroservices(base_url=url, inference_base_url=url + "/nim")
hub = HfApi(endpoint=url + "/v1/hf", token="local")
NS = facts["namespace"]
REPO = f"{NS}/{facts['dataset_name']}"


def jobs(check):
    found = client.customization.jobs.list(filter={"namespace": NS}).data
    check.equal("the jobs", [each.id for each in found], [facts["job_id"]])
    one = client.customization.jobs.retrieve(facts["job_id"])
    check.equal("its status", one.status, "completed")
    check.equal("its model", one.output_model, facts["model"])
    check.equal("its data set", one.dataset, REPO)
    check.equal("its kind", (one.hyperparameters.training_type, one.hyperparameters.finetuning_type), ("dpo", "lora"))
    check.equal("its epochs", one.hyperparameters.epochs, 2)
    check.equal("beta", one.hyperparameters.dpo.ref_policy_kl_penalty, 0.1)
    check.equal("how far", client.customization.jobs.status(facts["job_id"]).percentage_done, 100)


def datasets(check):
    found = client.datasets.list(filter={"namespace": NS}).data
    check.equal("the data sets", [(each.namespace, each.name) for each in found], [(NS, facts["dataset_name"])])
    check.equal("its files", found[0].files_url, f"hf://datasets/{REPO}")
    rows = {"training/training_file.jsonl": "training", "validation/validation_file.jsonl": "validation"}
    held = [path for path in hub.list_repo_files(REPO, repo_type="dataset") if path.endswith(".jsonl")]
    check.equal("the files", sorted(held), sorted(rows))
    for path, kind in rows.items():
        local = hf_hub_download(REPO, path, repo_type="dataset", endpoint=url + "/v1/hf", token="local")
        with open(local, encoding="utf8") as file:
            check.equal(f"the bytes of {path}", file.read(), facts[kind])
    head = hub.repo_info(REPO, repo_type="dataset").sha
    check.equal("the commit that the data set names", found[0].custom_fields["commit"], head)


def models(check):
    name = facts["model"].split("/", 1)[1]
    check.equal("the model's base", client.models.retrieve(name, namespace=NS).base_model, facts["base_model"])
    config, deployment = facts["deployment"].split("/", 1)
    found = client.deployment.model_deployments.retrieve(deployment, namespace=NS)
    check.equal("the deployment", (found.status_details.status, found.deployed), ("ready", True))
    check.true("what it serves", facts["model"] in found.models, found.models)
    served = client.deployment.configs.retrieve(found.config.split("/", 1)[1], namespace=NS)
    check.equal("its config's model", served.model, facts["model"])
    reply = client.chat.completions.create(
        model=facts["model"], messages=[{"role": "user", "content": "1 _ _ _"}], max_tokens=8, seed=1)
    check.true("it answers", isinstance(reply.choices[0].message.content, str))


report.run("jobs", jobs)
report.run("data sets", datasets)
report.run("models and deployments", models)
report.write({"nemo-microservices": version("nemo-microservices"), "huggingface_hub": version("huggingface_hub")})
