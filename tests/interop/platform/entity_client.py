"""The Entity Store as the nemo-microservices client sees it: every method of namespaces, datasets, models and projects."""
import asyncio
from importlib.metadata import version

import nemo_microservices as nemo
from checks import Report

report = Report()
url = report.job["url"]
client = nemo.NeMoMicroservices(base_url=url)
NS = "entities-ns"


requests = []
client._client.event_hooks = {"request": [requests.append]}


def seen():
    """How many requests the client has sent, its retries among them."""
    return len(requests)


def namespaces(check):
    made = client.namespaces.create(id=NS, description="for the tests", custom_fields={"team": "a"})
    check.equal("id is the name", made.id, NS)
    check.equal("custom fields", made.custom_fields, {"team": "a"})
    check.true("created_at is a time", made.created_at.year > 2000, made.created_at)
    got = client.namespaces.retrieve(NS)
    check.equal("retrieve gives what create gave", got.to_dict(), made.to_dict())
    changed = client.namespaces.update(NS, description="changed")
    check.equal("update changes", changed.description, "changed")
    check.equal("update keeps", changed.custom_fields, {"team": "a"})
    check.equal("created_at stays", changed.created_at, made.created_at)
    check.true("updated_at moves", changed.updated_at > made.updated_at, changed.updated_at)
    check.true("listed", NS in [each.id for each in client.namespaces.list()])
    generated = client.namespaces.create(description="no name")
    check.true("a name is made up", bool(generated.id), generated)
    gone = client.namespaces.delete(generated.id)
    check.equal("delete says so", (gone.message, gone.id), ("Resource deleted successfully.", generated.id))
    check.true("deleted_at", bool(gone.deleted_at), gone)
    check.raises("it is gone", nemo.NotFoundError, lambda: client.namespaces.retrieve(generated.id))


def projects(check):
    made = client.projects.create(name="p1", namespace=NS, description="one", custom_fields={"n": 1})
    check.equal("names", (made.namespace, made.name, made.description), (NS, "p1", "one"))
    check.equal("retrieve", client.projects.retrieve("p1", namespace=NS).to_dict(), made.to_dict())
    changed = client.projects.update("p1", namespace=NS, description="two")
    # The client has no type for this answer.
    check.equal("update", (changed["description"], changed["custom_fields"]), ("two", {"n": 1}))
    check.equal("listed", [each.name for each in client.projects.list(filter={"namespace": NS})], ["p1"])
    unnamed = client.projects.create(description="neither name nor namespace")
    check.equal("the default namespace", unnamed.namespace, "default")
    check.true("a name is made up", bool(unnamed.name), unnamed)
    client.projects.delete(unnamed.name, namespace="default")
    client.projects.delete("p1", namespace=NS)
    check.raises("it is gone", nemo.NotFoundError, lambda: client.projects.retrieve("p1", namespace=NS))
    check.equal("nothing is listed", client.projects.list(filter={"namespace": NS}).data, [])


def datasets(check):
    made = client.datasets.create(
        name="d1", namespace=NS, files_url=f"hf://datasets/{NS}/d1", description="rows", project="p",
        format="json", limit=10, split="train", hf_endpoint=f"{url}/v1/hf", custom_fields={"k": [1, {"x": None}]},
    )
    check.equal("files_url", made.files_url, f"hf://datasets/{NS}/d1")
    check.equal("all that was given", (made.format, made.limit, made.split, made.project, made.hf_endpoint),
                ("json", 10, "train", "p", f"{url}/v1/hf"))
    check.equal("nested custom fields", made.custom_fields, {"k": [1, {"x": None}]})
    check.true("id", made.id.startswith("dataset-"), made.id)
    check.equal("retrieve", client.datasets.retrieve("d1", namespace=NS).to_dict(), made.to_dict())
    changed = client.datasets.update("d1", namespace=NS, description="Zeilen «ÄÖÜ» 🙂", limit=20)
    check.equal("update", (changed.description, changed.limit, changed.files_url, changed.id),
                ("Zeilen «ÄÖÜ» 🙂", 20, made.files_url, made.id))
    bare = client.datasets.create(files_url="hf://datasets/default/nowhere")
    check.equal("a name is made up, in default", (bare.namespace, bare.name), ("default", bare.id))
    client.datasets.delete(bare.name, namespace="default")
    gone = client.datasets.delete("d1", namespace=NS)
    check.equal("delete", (gone.message, gone.id), ("Resource deleted successfully.", made.id))
    check.raises("it is gone", nemo.NotFoundError, lambda: client.datasets.retrieve("d1", namespace=NS))


def models(check):
    name = "llama-3.2-1b@cust-BhMuWx96Q25LWXuTMbAGP9"
    made = client.models.create(
        name=name, namespace=NS, base_model="meta/llama-3.2-1b-instruct", description="an adapter",
        spec={"num_parameters": 1_000_000_000, "context_size": 4096, "num_virtual_tokens": 0, "is_chat": True},
        artifact={"files_url": f"hf://{NS}/{name}", "status": "upload_completed", "backend_engine": "nemo",
                  "precision": "bf16-mixed", "gpu_arch": "Ampere", "tensor_parallelism": 1},
        peft={"finetuning_type": "lora", "lora": {"alpha": 16}},
        api_endpoint={"url": f"{url}/nim/v1", "model_id": name, "format": "nim"},
    )
    check.equal("a name with an at sign", (made.namespace, made.name), (NS, name))
    check.equal("artifact", (made.artifact.status, made.artifact.files_url), ("upload_completed", f"hf://{NS}/{name}"))
    check.equal("spec", (made.spec.context_size, made.spec.is_chat), (4096, True))
    check.equal("peft", made.peft.finetuning_type, "lora")
    check.equal("retrieve by that name", client.models.retrieve(name, namespace=NS).to_dict(), made.to_dict())
    changed = client.models.update(
        name, namespace=NS, spec={"num_parameters": 1, "context_size": 8192, "num_virtual_tokens": 0, "is_chat": True},
    )
    check.equal("update", (changed.spec.context_size, changed.base_model), (8192, "meta/llama-3.2-1b-instruct"))
    client.models.create(name="full", namespace=NS, base_model="other/base")
    listed = lambda **given: [each.name for each in client.models.list(filter={"namespace": NS, **given}, sort="name")]
    check.equal("by namespace", listed(), ["full", name])
    check.equal("by base model", listed(base_model="meta/llama-3.2-1b-instruct"), [name])
    check.equal("by base model's name", listed(base_model={"name": "other/base"}), ["full"])
    check.equal("with an adapter", listed(peft=True), [name])
    check.equal("without one", listed(peft=False), ["full"])
    check.equal("with LoRA", listed(peft={"lora": True}), [name])
    check.equal("made since", listed(created_at={"gte": made.created_at.isoformat()}), ["full", name])
    check.equal("made before", listed(created_at={"lte": "2020-01-01T00:00:00"}), [])
    for each in ("full", name):
        client.models.delete(each, namespace=NS)
    check.equal("both are gone", listed(), [])
    error = check.raises("half a spec", nemo.UnprocessableEntityError,
                         lambda: client.models.create(name="bad", namespace=NS, spec={"context_size": 1}))
    check.true("the fault names the field", "num_parameters" in str(error), error)


def pages(check):
    for n in range(25):
        client.projects.create(name=f"page-{n:02}", namespace=NS, description=f"number {n} {'odd' if n % 2 else 'even'}")
    names = [f"page-{n:02}" for n in range(25)]
    first = client.projects.list(page_size=10, filter={"namespace": NS})
    check.equal("the first page", [each.name for each in first.data], names[:10])
    got = first.pagination
    check.equal("what it says of itself", (got.page, got.page_size, got.current_page_size, got.total_pages, got.total_results),
                (1, 10, 10, 3, 25))
    check.equal("the next page", [each.name for each in first.get_next_page().data], names[10:20])
    check.equal("a page by number", [each.name for each in client.projects.list(page=3, page_size=10, filter={"namespace": NS}).data],
                names[20:])
    before = seen()
    check.equal("all of them, by the client's iterator", [each.name for each in client.projects.list(page_size=10, filter={"namespace": NS})],
                names)
    check.equal("it asks until a page is empty", seen() - before, 4)
    check.equal("past the end", client.projects.list(page=9, page_size=10, filter={"namespace": NS}).data, [])
    by = lambda **given: [each.name for each in client.projects.list(filter={"namespace": NS}, **given)]
    check.equal("newest first", by(sort="-created_at"), names[::-1])
    check.equal("by name", by(sort="name"), names)
    check.equal("by name, backwards", by(sort="-name"), names[::-1])
    check.equal("search a part", by(search={"name": "page-1"}), names[10:20])
    check.equal("one of two", by(search={"name": ["page-03", "page-07"]}), [names[3], names[7]])
    check.equal("two fields", by(search={"name": "page-1", "description": "odd"}), names[11:20:2])
    check.equal("since a time", by(search={"created_at": {"start": "2020-01-01T00:00:00"}}), names)
    check.equal("before a time", by(search={"created_at": {"end": "2020-01-01T00:00:00"}}), [])
    check.equal("the filter is repeated", client.projects.list(page_size=1, filter={"namespace": NS}).to_dict().get("filter"),
                {"namespace": NS})
    check.equal("the page size without one", client.projects.list(filter={"namespace": NS}).pagination.page_size, 1000)
    for name in names:
        client.projects.delete(name, namespace=NS)


def errors(check):
    before = seen()
    error = check.raises("twice the same", nemo.ConflictError, lambda: client.namespaces.create(id=NS))
    check.equal("a conflict is asked once", seen() - before, 1)
    check.true("as notebooks look for it", "409" in str(error), error)
    check.equal("it is told not to try again", error.response.headers.get("x-should-retry"), "false")
    for name, call in {
        "namespace": lambda: client.namespaces.retrieve("no-such"),
        "namespace to change": lambda: client.namespaces.update("no-such", description="x"),
        "namespace to delete": lambda: client.namespaces.delete("no-such"),
        "dataset": lambda: client.datasets.retrieve("no-such", namespace=NS),
        "model": lambda: client.models.retrieve("no-such", namespace=NS),
        "project": lambda: client.projects.delete("no-such", namespace=NS),
        "namespace of a new one": lambda: client.datasets.create(name="d", namespace="no-such", files_url="hf://datasets/a/b"),
    }.items():
        before = seen()
        error = check.raises(f"unknown {name}", nemo.NotFoundError, call)
        check.true(f"unknown {name}: says what", isinstance(error.body, dict) and bool(error.body.get("detail")), error)
        check.equal(f"unknown {name}: asked once", seen() - before, 1)
    error = check.raises("no files_url", nemo.UnprocessableEntityError,
                         lambda: client.datasets.create(name="d", namespace=NS, files_url=nemo.omit))
    check.equal("the fault's place", error.body["detail"][0]["loc"], ["body", "files_url"])
    check.raises("a name with a slash", nemo.UnprocessableEntityError,
                 lambda: client.datasets.create(name="a/../b", namespace=NS, files_url="hf://datasets/a/b"))
    check.raises("a page that is none", nemo.UnprocessableEntityError, lambda: client.projects.list(page=-1))
    check.raises("an unknown sort", nemo.UnprocessableEntityError, lambda: client.projects.list(sort="colour"))
    check.raises("an unknown filter", nemo.UnprocessableEntityError, lambda: client.projects.list(filter={"colour": "x"}))
    raw = client.namespaces.with_raw_response.retrieve(NS)
    check.true("JSON", raw.headers["content-type"].startswith("application/json"), raw.headers)


def asynchronous(check):
    async def at_once():
        async with nemo.AsyncNeMoMicroservices(base_url=url) as other:
            made = await asyncio.gather(*(other.projects.create(name=f"async-{n}", namespace=NS) for n in range(50)))
            check.equal("50 at once", {each.name for each in made}, {f"async-{n}" for n in range(50)})
            found = [each.name async for each in other.projects.list(page_size=20, filter={"namespace": NS})]
            check.equal("found by the iterator", set(found), {f"async-{n}" for n in range(50)})
            one = await asyncio.gather(*(other.datasets.create(name="one", namespace=NS, files_url="hf://datasets/a/b")
                                         for _ in range(10)), return_exceptions=True)
            check.equal("of ten with one name one is made", sum(not isinstance(each, Exception) for each in one), 1)
            check.equal("the others conflict", sum(isinstance(each, nemo.ConflictError) for each in one), 9)
            await asyncio.gather(*(other.projects.delete(name, namespace=NS) for name in found))
            await other.datasets.delete("one", namespace=NS)

    asyncio.run(at_once())


report.run("namespaces", namespaces)
report.run("projects", projects)
report.run("datasets", datasets)
report.run("models", models)
report.run("pages, sorts, filters, searches", pages)
report.run("errors", errors)
report.run("the asynchronous client", asynchronous)
report.write({"nemo-microservices": version("nemo-microservices"), "httpx": version("httpx")})
