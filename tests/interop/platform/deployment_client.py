"""Deployment and inference as the nemo-microservices client sees them: every method of both kinds, and chats with what is deployed."""
import json
import time
from importlib.metadata import version

import nemo_microservices as nemo
from checks import Report
from tic_tac_toe import BOARD, MOVE, moves
from huggingface_hub import HfApi

report = Report()
url = report.job["url"]
client = nemo.NeMoMicroservices(base_url=url, inference_base_url=url + "/nim")
hub = HfApi(endpoint=url + "/v1/hf", token="local")
NS = "deployment-ns"
NIM = {"image_name": "nvcr.io/nim/meta/llama-3.1-8b-instruct", "image_tag": "latest", "gpu": 1}
LIMIT_S = 120
trained = {}


def train(kind):
    config = client.customization.configs.list().data[0]
    job = client.customization.jobs.create(
        config=f"{config.namespace}/{config.name}", dataset={"name": "rows", "namespace": NS}, output_model=f"{NS}/{kind}",
        hyperparameters={"training_type": "dpo", "finetuning_type": kind, "epochs": 1, "batch_size": 8, "learning_rate": 1e-3})
    until = time.monotonic() + LIMIT_S
    while (status := client.customization.jobs.status(job.id).status) not in ("completed", "failed", "cancelled"):
        if time.monotonic() > until:
            raise TimeoutError(f"{job.id} is {status}")
        time.sleep(0.1)
    if status != "completed":
        raise RuntimeError(f"{job.id} has {status}")
    return job.output_model


def wait_until(name, wanted):
    until = time.monotonic() + LIMIT_S
    while True:
        found = client.deployment.model_deployments.retrieve(name, namespace=NS)
        if found.status_details.status == wanted or time.monotonic() > until:
            return found
        time.sleep(0.1)


def chat(model, **given):
    return client.chat.completions.create(model=model, messages=BOARD, max_tokens=64, temperature=0, **given)


def listed():
    return [each.id for each in client.inference.models.list().data]


def prepare(check):
    client.namespaces.create(id=NS)
    hub.create_repo(f"{NS}/rows", repo_type="dataset")
    client.datasets.create(name="rows", namespace=NS, files_url=f"hf://datasets/{NS}/rows")
    content = "\n".join(json.dumps(row) for row in moves(24, 5)).encode()
    hub.upload_file(path_or_fileobj=content, path_in_repo="training/training_file.jsonl", repo_id=f"{NS}/rows", repo_type="dataset")
    for kind in ("all_weights", "lora"):
        trained[kind] = train(kind)
    check.true("both are trained", all("@cust-" in each for each in trained.values()), trained)


def configs(check):
    made = client.deployment.configs.create(name="c1", namespace=NS, description="one", model=trained["all_weights"], nim_deployment=NIM, custom_fields={"a": 1})
    check.equal("create", (made.namespace, made.name, made.model, made.nim_deployment.gpu), (NS, "c1", trained["all_weights"], 1))
    check.equal("retrieve", client.deployment.configs.retrieve("c1", namespace=NS).to_dict(), made.to_dict())
    changed = client.deployment.configs.update("c1", namespace=NS, description="changed")
    check.equal("update", (changed.description, changed.model, changed.nim_deployment.image_tag), ("changed", trained["all_weights"], "latest"))
    client.deployment.configs.create(name="c2", namespace=NS, model=trained["lora"], nim_deployment=NIM)
    check.equal("list", [each.name for each in client.deployment.configs.list(filter={"namespace": NS})], ["c1", "c2"])
    check.equal("newest first", [each.name for each in client.deployment.configs.list(sort="-created_at").data][:2], ["c2", "c1"])
    check.equal("page by page", [each.name for each in client.deployment.configs.list(page_size=1, filter={"namespace": NS})], ["c1", "c2"])
    check.raises("twice", nemo.ConflictError, lambda: client.deployment.configs.create(name="c1", namespace=NS, model="x/y", nim_deployment=NIM))
    check.raises("half of it", nemo.UnprocessableEntityError, lambda: client.deployment.configs.create(name="c3", namespace=NS, nim_deployment={"gpu": 1}))
    client.deployment.configs.create(name="c4", namespace=NS, model=trained["lora"])
    gone = client.deployment.configs.delete("c4", namespace=NS)
    check.equal("delete", gone.message, "Resource deleted successfully.")
    check.raises("it is gone", nemo.NotFoundError, lambda: client.deployment.configs.retrieve("c4", namespace=NS))


def deployments(check):
    made = client.deployment.model_deployments.create(name="d1", namespace=NS, description="one", config=f"{NS}/c1")
    check.equal("create", (made.namespace, made.name), (NS, "d1"))
    check.true("a state", made.status_details.status in ("created", "pending", "ready"), made.status_details)
    ready = wait_until("d1", "ready")
    check.equal("it gets ready", (ready.status_details.status, ready.deployed), ("ready", True))
    check.true("with an address", ready.url.startswith("http://127.0.0.1"), ready.url)
    check.true("first page of the list", any(each.name == "d1" and each.namespace == NS and each.status_details.status == "ready"
                                             for each in client.deployment.model_deployments.list().data))
    changed = client.deployment.model_deployments.update("d1", namespace=NS, description="changed")
    check.equal("update", (changed.description, changed.name), ("changed", "d1"))
    client.deployment.model_deployments.create(name="d2", namespace=NS, config={"model": trained["lora"], "nim_deployment": NIM})
    check.equal("a config of its own", wait_until("d2", "ready").status_details.status, "ready")
    check.equal("page by page", [each.name for each in client.deployment.model_deployments.list(page_size=1, filter={"namespace": NS})], ["d1", "d2"])
    error = check.raises("twice", nemo.APIStatusError, lambda: client.deployment.model_deployments.create(name="d1", namespace=NS, config=f"{NS}/c1"))
    check.true("in the words that clients look for", "model deployment already exists" in str(error), error)
    check.equal("and not tried again", error.response.headers.get("x-should-retry"), "false")
    check.raises("an unknown config", nemo.NotFoundError, lambda: client.deployment.model_deployments.create(name="d3", namespace=NS, config=f"{NS}/none"))
    check.raises("an unknown one", nemo.NotFoundError, lambda: client.deployment.model_deployments.retrieve("none", namespace=NS))
    client.deployment.configs.create(name="nothing", namespace=NS, model=f"{NS}/no-such-model@1", nim_deployment=NIM)
    try:
        client.deployment.model_deployments.create(name="d4", namespace=NS, config=f"{NS}/nothing")
        state = wait_until("d4", "failed")
        check.equal("a model that is not there fails", (state.status_details.status, bool(state.status_details.description)), ("failed", True))
    except nemo.NotFoundError as error:
        check.true("a model that is not there is told at once", "no-such-model" in str(error), error)


def inference(check):
    names = listed()
    base = client.customization.targets.list().data[0].base_model
    for kind, model in trained.items():
        check.true(f"{kind}: listed", model in names or model.split("@")[0] in names, names)
        got = chat(model)
        check.true(f"{kind}: it plays", MOVE.fullmatch(got.choices[0].message.content), got)
        check.true(f"{kind}: usage", got.usage.total_tokens > 5, got.usage)
        bare = chat(model.split("@")[0])
        check.equal(f"{kind}: by the name before @, as the seeds export it", bare.choices[0].message.content, got.choices[0].message.content)
        chunks = list(chat(model, stream=True))
        check.equal(f"{kind}: streamed", "".join(each.choices[0].delta.content or "" for each in chunks if each.choices), got.choices[0].message.content)
    check.true("the base model, too", MOVE.fullmatch(chat(base).choices[0].message.content), names)
    prompt = "<|begin|><|system|>You play X in tic-tac-toe. Reply with one move as XML.<|user|>  1 2 3\n1 _ _ _\n2 _ _ _\n3 _ _ _\n<|assistant|>"
    check.true("completions", MOVE.fullmatch(client.completions.create(model=trained["all_weights"], prompt=prompt, max_tokens=64, temperature=0).choices[0].text))
    check.raises("an unknown model", nemo.NotFoundError, lambda: chat("no/such"))


def removal(check):
    gone = client.deployment.model_deployments.delete("d1", namespace=NS)
    check.equal("delete", gone.message, "Resource deleted successfully.")
    check.raises("it is gone", nemo.NotFoundError, lambda: client.deployment.model_deployments.retrieve("d1", namespace=NS))
    check.raises("and its model is not served", nemo.NotFoundError, lambda: chat(trained["all_weights"]))
    check.true("nor listed", trained["all_weights"] not in listed(), listed())
    client.deployment.model_deployments.create(name="d1", namespace=NS, config=f"{NS}/c1")
    check.equal("it can be deployed again", wait_until("d1", "ready").status_details.status, "ready")
    check.true("and plays", MOVE.fullmatch(chat(trained["all_weights"]).choices[0].message.content))


report.run("models to deploy", prepare)
report.run("deployment configs", configs)
report.run("model deployments", deployments)
report.run("inference", inference)
report.run("removal", removal)
report.write({"nemo-microservices": version("nemo-microservices")})
