"""A platform that asks for a token, as nemo-microservices and huggingface_hub meet it."""
from importlib.metadata import version

import nemo_microservices as nemo
from checks import Report
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

report = Report()
url, token = report.job["url"], report.job["token"]
NS = "guarded-ns"


def services(check):
    bare = nemo.NeMoMicroservices(base_url=url, inference_base_url=url + "/nim")
    for name, call in {
        "namespaces": lambda: bare.namespaces.create(id=NS),
        "jobs": lambda: bare.customization.jobs.list(),
        "deployments": lambda: bare.deployment.model_deployments.list(),
        "chat": lambda: bare.chat.completions.create(model="x", messages=[]),
    }.items():
        check.raises(f"{name} without a token", nemo.AuthenticationError, call)
    client = nemo.NeMoMicroservices(base_url=url, default_headers={"Authorization": f"Bearer {token}"})
    check.equal("with it", client.namespaces.create(id=NS).id, NS)
    wrong = nemo.NeMoMicroservices(base_url=url, default_headers={"Authorization": f"Bearer {token}x"})
    check.raises("with another", nemo.AuthenticationError, lambda: wrong.namespaces.retrieve(NS))


def hub(check):
    of = {"repo_id": f"{NS}/rows", "repo_type": "dataset"}
    for name, given in {"no token": False, "another token": token + "x"}.items():
        error = check.raises(f"{name}: create", HfHubHTTPError, lambda: HfApi(endpoint=url + "/v1/hf", token=given).create_repo(**of))
        check.equal(f"{name}: is 401", error.response.status_code, 401)
    api = HfApi(endpoint=url + "/v1/hf", token=token)
    api.create_repo(**of)
    api.upload_file(path_or_fileobj=b"{}\n", path_in_repo="a.jsonl", **of)
    check.equal("with it", open(api.hf_hub_download(filename="a.jsonl", **of), "rb").read(), b"{}\n")
    check.raises("no token: download", Exception, lambda: HfApi(endpoint=url + "/v1/hf", token=False).hf_hub_download(
        filename="a.jsonl", force_download=True, **of))


report.run("services", services)
report.run("hub", hub)
report.write({"nemo-microservices": version("nemo-microservices"), "huggingface_hub": version("huggingface_hub")})
