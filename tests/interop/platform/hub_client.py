"""The Datastore as huggingface_hub sees it: the same calls with version 0.36, 1 and 2."""
import hashlib
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from checks import Report
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, HfFileSystem, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

report = Report()
endpoint = report.job["url"] + "/v1/hf"
dir = Path(report.job["dir"])
token = report.job.get("token", "local")
NS = report.job["namespace"]
REPO = f"{NS}/rows"
MODEL = f"{NS}/model"
api = HfApi(endpoint=endpoint, token=token)
# Before 1.20 the client cannot say of a file that is there already which commit that is, and sends it once more.
skips = tuple(map(int, version("huggingface_hub").split(".")[:2])) >= (1, 20)
rows = b'{"prompt": "a", "chosen_response": "b", "rejected_response": "c"}\n' * 3
of = {"repo_id": REPO, "repo_type": "dataset"}


def read(path, **given):
    return Path(api.hf_hub_download(filename=path, **{**of, **given})).read_bytes()


def repositories(check):
    made = api.create_repo(REPO, repo_type="dataset")
    check.equal("create_repo", (made.repo_id, made.repo_type), (REPO, "dataset"))
    again = api.create_repo(REPO, repo_type="dataset", exist_ok=True)
    check.equal("exist_ok", again.repo_id, REPO)
    error = check.raises("create twice", HfHubHTTPError, lambda: api.create_repo(REPO, repo_type="dataset"))
    check.equal("is a conflict", error.response.status_code, 409)
    check.equal("a model", api.create_repo(MODEL).repo_id, MODEL)
    check.equal("repo_exists", (api.repo_exists(**of), api.repo_exists(MODEL)), (True, True))
    check.equal("a data set is no model", api.repo_exists(REPO), False)
    check.equal("what is not there", api.repo_exists(f"{NS}/none", repo_type="dataset"), False)
    check.raises("info of what is not there", RepositoryNotFoundError, lambda: api.repo_info(f"{NS}/none", repo_type="dataset"))
    info = api.dataset_info(REPO)
    check.equal("dataset_info", (info.id, info.private, info.siblings), (REPO, False, []))
    check.equal("an empty repository", api.list_repo_files(**of), [])
    check.equal("list_datasets", [each.id for each in api.list_datasets(author=NS)], [REPO])
    check.equal("list_models", [each.id for each in api.list_models(author=NS)], [MODEL])
    check.true("whoami", bool(api.whoami()["name"]), api.whoami())


def files(check):
    done = api.upload_file(path_or_fileobj=rows, path_in_repo="training/training_file.jsonl", commit_message="rows", **of)
    check.true("a commit", len(done.oid) == 40, done)
    check.equal("is the newest", api.repo_info(**of).sha, done.oid)
    check.equal("download", read("training/training_file.jsonl"), rows)
    check.equal("a second time from the cache", read("training/training_file.jsonl"), rows)
    path = dir / "other.jsonl"
    path.write_bytes(b"{}\n")
    api.upload_file(path_or_fileobj=str(path), path_in_repo="validation/validation_file.jsonl", **of)
    before = api.repo_info(**of).sha
    check.equal("both", sorted(api.list_repo_files(**of)), ["training/training_file.jsonl", "validation/validation_file.jsonl"])
    same = api.upload_file(path_or_fileobj=str(path), path_in_repo="validation/validation_file.jsonl", **of)
    check.equal("the same again", (api.repo_info(**of).sha, read("validation/validation_file.jsonl")), (same.oid, b"{}\n"))
    check.equal("is no commit", same.oid == before, skips)
    api.upload_file(path_or_fileobj=b"", path_in_repo="empty.txt", **of)
    check.equal("an empty file", read("empty.txt"), b"")
    odd = "odd names/ä ö+ü %41 #1 & 100%?.txt"
    api.upload_file(path_or_fileobj=b"odd", path_in_repo=odd, **of)
    check.equal("an odd name", read(odd), b"odd")
    check.true("is listed as it is", odd in api.list_repo_files(**of), api.list_repo_files(**of))
    check.equal("file_exists", (api.file_exists(REPO, "empty.txt", repo_type="dataset"), api.file_exists(REPO, odd, repo_type="dataset")),
                (True, True))
    check.equal("a file that is not there", api.file_exists(REPO, "none.txt", repo_type="dataset"), False)
    check.equal("a file of no repository", api.file_exists(f"{NS}/none", "none.txt", repo_type="dataset"), False)
    check.raises("download what is not there", EntryNotFoundError, lambda: read("none.txt"))
    (info,) = api.get_paths_info(REPO, ["training/training_file.jsonl"], repo_type="dataset")
    blob = hashlib.sha1(b"blob %d\0" % len(rows) + rows).hexdigest()
    check.equal("get_paths_info", (info.path, info.size), ("training/training_file.jsonl", len(rows)))
    check.true("a git id", info.lfs is not None or info.blob_id == blob, info)
    check.equal("of nothing", api.get_paths_info(REPO, ["none"], repo_type="dataset"), [])
    tree = {each.path: type(each).__name__ for each in api.list_repo_tree(**of)}
    check.equal("list_repo_tree", tree, {"training": "RepoFolder", "validation": "RepoFolder", "odd names": "RepoFolder", "empty.txt": "RepoFile"})
    check.equal("of a folder", [each.path for each in api.list_repo_tree(path_in_repo="training", **of)], ["training/training_file.jsonl"])
    check.raises("of a folder that is not there", EntryNotFoundError, lambda: list(api.list_repo_tree(path_in_repo="none", **of)))
    api.delete_file(odd, **of)
    check.true("delete_file", odd not in api.list_repo_files(**of))
    check.raises("it is gone", EntryNotFoundError, lambda: read(odd))
    api.create_commit(operations=[CommitOperationAdd("a/1", b"1"), CommitOperationAdd("a/2", b"2"), CommitOperationDelete("empty.txt")],
                      commit_message="several", **of)
    check.equal("several in one commit", [path for path in sorted(api.list_repo_files(**of)) if "/" not in path or path[0] == "a"], ["a/1", "a/2"])
    api.delete_folder("a", **of)
    check.equal("delete_folder", sorted(api.list_repo_files(**of)), ["training/training_file.jsonl", "validation/validation_file.jsonl"])


def folders(check):
    folder = dir / "folder"
    chance = random.Random(report.job["seed"])
    want = {f"part-{n:03}/file-{n}.bin": chance.randbytes(n * 37) for n in range(120)}
    want["large.bin"] = chance.randbytes(20_000_000)
    want["large.jsonl"] = b"\n".join(b'{"prompt": "%d"}' % n for n in range(300_000))
    for path, content in want.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    of = {"repo_id": MODEL, "repo_type": "model"}
    done = api.upload_folder(folder_path=str(folder), commit_message="all", **of)
    check.equal("upload_folder", api.repo_info(**of).sha, done.oid)
    check.equal("list", sorted(api.list_repo_files(**of)), sorted(want))
    check.equal("sizes", {each.path: each.size for each in api.list_repo_tree(recursive=True, **of) if hasattr(each, "size")},
                {path: len(content) for path, content in want.items()})
    large = Path(api.hf_hub_download(MODEL, "large.bin")).read_bytes()
    check.equal("20 MB come back", hashlib.sha256(large).hexdigest(), hashlib.sha256(want["large.bin"]).hexdigest())
    got = Path(api.snapshot_download(MODEL, local_dir=str(dir / "snapshot")))
    found = {str(path.relative_to(got)): path.read_bytes() for path in got.rglob("*") if path.is_file() and ".cache" not in path.parts}
    check.true("snapshot_download", found == want, f"{len(found)} files of {len(want)}")
    some = Path(snapshot_download(MODEL, allow_patterns="part-00*/*", endpoint=endpoint, token=token, local_dir=str(dir / "some")))
    check.equal("of some", len([path for path in some.glob("part-*/file-*")]), 10)
    again = api.upload_folder(folder_path=str(folder), **of)
    check.equal("the same again is no commit", again.oid == done.oid, skips)
    (folder / "part-001/file-1.bin").write_bytes(b"changed")
    api.upload_folder(folder_path=str(folder), delete_patterns="part-00[2-9]/*", ignore_patterns="part-00[2-9]/*", **of)
    check.equal("one changed", Path(api.hf_hub_download(MODEL, "part-001/file-1.bin")).read_bytes(), b"changed")
    check.equal("eight deleted", len(api.list_repo_files(**of)), len(want) - 8)


def revisions(check):
    first = api.upload_file(path_or_fileobj=b"one", path_in_repo="v.txt", **of).oid
    second = api.upload_file(path_or_fileobj=b"two", path_in_repo="v.txt", **of).oid
    check.equal("main", read("v.txt"), b"two")
    check.equal("by commit", (read("v.txt", revision=first), read("v.txt", revision=second)), (b"one", b"two"))
    check.equal("revision_exists", (api.revision_exists(REPO, first, repo_type="dataset"), api.revision_exists(REPO, "none", repo_type="dataset")),
                (True, False))
    check.raises("an unknown revision", RevisionNotFoundError, lambda: read("v.txt", revision="none"))
    check.equal("repo_info of a commit", api.repo_info(revision=first, **of).sha, first)
    refs = api.list_repo_refs(**of)
    check.equal("list_repo_refs", [(each.name, each.ref, each.target_commit) for each in refs.branches], [("main", "refs/heads/main", second)])
    commits = api.list_repo_commits(**of)
    check.equal("list_repo_commits", [each.commit_id for each in commits[:2]], [second, first])
    check.true("with their time and title", commits[0].created_at is not None and bool(commits[0].title), commits[0])
    check.equal("the files of a commit", "v.txt" in api.list_repo_files(revision=first, **of), True)
    error = check.raises("on top of an older commit", HfHubHTTPError, lambda: api.upload_file(
        path_or_fileobj=b"three", path_in_repo="v.txt", parent_commit=first, **of))
    check.true("is refused", error.response.status_code in (409, 412), error)
    check.equal("nothing of it is there", read("v.txt"), b"two")


def branches_and_tags(check):
    sha = api.repo_info(**of).sha
    api.create_branch(REPO, branch="side", repo_type="dataset")
    api.create_tag(REPO, tag="v1", repo_type="dataset")
    api.upload_file(path_or_fileobj=b"side", path_in_repo="side.txt", revision="side", **of)
    refs = api.list_repo_refs(**of)
    check.equal("branches", sorted(each.name for each in refs.branches), ["main", "side"])
    check.equal("tags", [(each.name, each.target_commit) for each in refs.tags], [("v1", sha)])
    check.equal("by branch", read("side.txt", revision="side"), b"side")
    check.equal("main has it not", api.file_exists(REPO, "side.txt", repo_type="dataset"), False)
    api.upload_file(path_or_fileobj=b"later", path_in_repo="v.txt", **of)
    check.equal("by tag", read("v.txt", revision="v1"), b"two")
    api.delete_branch(REPO, branch="side", repo_type="dataset")
    api.delete_tag(REPO, tag="v1", repo_type="dataset")
    check.equal("both are gone", [api.revision_exists(REPO, each, repo_type="dataset") for each in ("side", "v1")], [False, False])


def file_system(check):
    fs = HfFileSystem(endpoint=endpoint, token=token, skip_instance_cache=True)
    root = f"datasets/{REPO}"
    check.equal("glob", fs.glob(f"{root}/**/*.jsonl"), [f"{root}/training/training_file.jsonl", f"{root}/validation/validation_file.jsonl"])
    check.equal("ls", sorted(each["name"] for each in fs.ls(root, detail=True)), sorted(f"{root}/{name}" for name in ("training", "v.txt", "validation")))
    check.equal("read", fs.cat_file(f"{root}/training/training_file.jsonl"), rows)
    with fs.open(f"hf://{root}/training/training_file.jsonl", "rb") as file:
        file.seek(10)
        check.equal("read a part", file.read(20), rows[10:30])
    check.equal("a block of a large file", fs.cat_file(f"{MODEL}/large.jsonl", start=1_000_000, end=1_000_100).count(b"\n") > 3, True)
    check.equal("exists", (fs.exists(f"{root}/v.txt"), fs.exists(f"{root}/none"), fs.exists(f"datasets/{NS}/none")), (True, False, False))
    info = fs.info(f"{root}/training/training_file.jsonl")
    check.equal("info", (info["type"], info["size"]), ("file", len(rows)))
    with fs.open(f"{root}/written.txt", "w") as file:
        file.write("by the file system")
    check.equal("write", fs.cat_file(f"{root}/written.txt"), b"by the file system")
    fs.rm(f"{root}/written.txt")
    fs.invalidate_cache()
    check.equal("remove", fs.exists(f"{root}/written.txt"), False)
    check.true("find", f"{MODEL}/large.bin" in fs.find(MODEL), fs.find(MODEL)[:3])


def many_at_once(check):
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: api.upload_file(path_or_fileobj=b"%d" % n, path_in_repo=f"many/{n}.txt", **of).oid, range(24)))
    check.equal("24 commits", len(set(done)), 24)
    check.equal("24 files", len([path for path in api.list_repo_files(**of) if path.startswith("many/")]), 24)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda n: read(f"many/{n}.txt"), range(24)))
    check.equal("each what it was", got, [b"%d" % n for n in range(24)])


def command_line(check):
    """The client's own command, which is told of the hub by HF_ENDPOINT."""
    told = {**os.environ, "HF_ENDPOINT": endpoint, "HF_TOKEN": token}
    hf = lambda *args: subprocess.run([Path(sys.executable).parent / "hf", *args], env=told, check=True, capture_output=True, text=True).stdout
    folder = dir / "typed"
    folder.mkdir()
    (folder / "rows.jsonl").write_bytes(rows)
    hf("upload", f"{NS}/typed", str(folder), ".", "--repo-type", "dataset")
    check.equal("hf upload", api.list_repo_files(f"{NS}/typed", repo_type="dataset"), ["rows.jsonl"])
    hf("download", f"{NS}/typed", "rows.jsonl", "--repo-type", "dataset", "--local-dir", str(dir / "got"))
    check.equal("hf download", (dir / "got" / "rows.jsonl").read_bytes(), rows)
    api.delete_repo(f"{NS}/typed", repo_type="dataset")


def removal(check):
    api.delete_repo(**of)
    check.equal("delete_repo", (api.repo_exists(**of), api.repo_exists(MODEL)), (False, True))
    check.raises("a second time", RepositoryNotFoundError, lambda: api.delete_repo(**of))
    api.delete_repo(missing_ok=True, **of)
    check.raises("its files are gone", RepositoryNotFoundError, lambda: api.list_repo_files(**of))
    check.raises("nothing can be put there", RepositoryNotFoundError,
                 lambda: api.upload_file(path_or_fileobj=b"", path_in_repo="x", **of))
    api.create_repo(REPO, repo_type="dataset")
    check.equal("a new one is empty", api.list_repo_files(**of), [])


def refusals(check):
    """What the client itself lets through."""
    for path in ("a/../../b", "./../x", "a//b", "a/\0b", "x" * 5000, ".git/config"):
        def put(path=path):
            operation = CommitOperationAdd("fine", b"x")
            operation.path_in_repo = path
            api.create_commit(operations=[operation], commit_message="bad", **of)
        try:
            put()
            check.true(f"path {path[:12]!r} is refused", False, "it was taken")
        except (HfHubHTTPError, ValueError) as error:
            status = getattr(getattr(error, "response", None), "status_code", 400)
            check.true(f"path {path[:12]!r} is refused", 400 <= status < 500, error)
    check.equal("nothing of it is there", api.list_repo_files(**of), [])


report.run("repositories", repositories)
report.run("files", files)
report.run("folders, 20 MB", folders)
report.run("revisions", revisions)
report.run("branches and tags", branches_and_tags)
report.run("HfFileSystem", file_system)
report.run("many at once", many_at_once)
report.run("the hf command", command_line)
report.run("removal", removal)
report.run("paths that are none", refusals)


def installed(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


report.write({"huggingface_hub": version("huggingface_hub"), "hf-xet": installed("hf-xet")})
