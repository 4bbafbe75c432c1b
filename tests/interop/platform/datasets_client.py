"""`datasets.load_dataset` from the Datastore. Its hub is named by HF_ENDPOINT, path and all, before the library is imported."""
import os
from importlib.metadata import version

from checks import Report

report = Report()
os.environ["HF_ENDPOINT"] = report.job["url"] + "/v1/hf"
os.environ["HF_TOKEN"] = "local"

import datasets  # noqa: E402
from huggingface_hub import HfApi  # noqa: E402

NS = report.job["namespace"]
REPO = f"{NS}/preferences"
api = HfApi()


def lines(n, start=0):
    return b"".join(b'{"prompt": "p%d", "chosen_response": "c", "rejected_response": "r"}\n' % i for i in range(start, start + n))


def upload(check):
    check.equal("HF_ENDPOINT is enough", api.endpoint, report.job["url"] + "/v1/hf")
    api.create_repo(REPO, repo_type="dataset")
    for path, content in {"training/training_file.jsonl": lines(500), "validation/validation_file.jsonl": lines(50, 500)}.items():
        api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=REPO, repo_type="dataset")
    check.equal("two files", len(api.list_repo_files(REPO, repo_type="dataset")), 2)


def load_by_name(check):
    found = datasets.load_dataset(REPO)
    check.equal("splits, by the folders' names", {name: len(rows) for name, rows in found.items()}, {"train": 500, "validation": 50})
    check.equal("columns", found["train"].column_names, ["prompt", "chosen_response", "rejected_response"])
    check.equal("a row", found["train"][499], {"prompt": "p499", "chosen_response": "c", "rejected_response": "r"})
    check.equal("one split", len(datasets.load_dataset(REPO, split="validation")), 50)


def load_by_path(check):
    files = f"hf://datasets/{REPO}/training/*.jsonl"
    check.equal("by an hf:// pattern", len(datasets.load_dataset("json", data_files=files, split="train")), 500)
    check.equal("by data_files", len(datasets.load_dataset(REPO, data_files="validation/*.jsonl", split="train")), 50)
    address = f"{report.job['url']}/v1/hf/datasets/{REPO}/resolve/main/validation/validation_file.jsonl"
    check.equal("by its address", len(datasets.load_dataset("json", data_files=address, split="train")), 50)
    streamed = datasets.load_dataset(REPO, split="train", streaming=True)
    check.equal("streamed", [row["prompt"] for row in streamed.take(3)], ["p0", "p1", "p2"])


def by_revision(check):
    old = api.repo_info(REPO, repo_type="dataset").sha
    api.upload_file(path_or_fileobj=lines(7), path_in_repo="training/training_file.jsonl", repo_id=REPO, repo_type="dataset")
    check.equal("main", len(datasets.load_dataset(REPO, split="train")), 7)
    check.equal("an older commit", len(datasets.load_dataset(REPO, split="train", revision=old)), 500)


def parquet(check):
    """Not by push_to_hub: it takes its file away before the commit, which holds the file where nothing goes to a store beside."""
    rows = datasets.Dataset.from_dict({"prompt": ["x", "y"], "completion": ["1", "2"]})
    path = f"{report.job['dir']}/rows.parquet"
    rows.to_parquet(path)
    api.create_repo(f"{NS}/parquet", repo_type="dataset")
    api.upload_file(path_or_fileobj=path, path_in_repo="data/train-00000-of-00001.parquet", repo_id=f"{NS}/parquet", repo_type="dataset")
    check.equal("columns of parquet", datasets.load_dataset(f"{NS}/parquet", split="train").to_list(), rows.to_list())


report.run("upload", upload)
report.run("load_dataset by name", load_by_name)
report.run("load_dataset by path", load_by_path)
report.run("load_dataset by revision", by_revision)
report.run("parquet", parquet)
report.write({"datasets": version("datasets"), "huggingface_hub": version("huggingface_hub")})
