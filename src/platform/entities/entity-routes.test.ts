import { afterEach, expect, test } from "vitest";
import { startTestPlatform } from "../__fixtures__/test-platform.ts";

const opened: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const platform of opened.splice(0)) await platform.stop();
});

async function platform() {
  const started = await startTestPlatform();
  opened.push(started);
  return started;
}

test("a namespace is made, read, changed, listed and deleted", async () => {
  const { call } = await platform();

  const made = await call("POST", "/v1/namespaces", { id: "mine", description: "first" });
  expect(made.status).toBe(200);
  expect(made.body).toEqual({
    id: "mine",
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/),
    updated_at: expect.any(String),
    description: "first",
    project: null,
    custom_fields: {},
    ownership: null,
  });
  const changed = await call("PATCH", "/v1/namespaces/mine", { description: null, project: "p" });
  expect(changed.body).toMatchObject({ id: "mine", description: "first", project: "p" });
  expect((await call("GET", "/v1/namespaces/")).body.data.map(({ id }: { id: string }) => id)).toEqual([
    "default",
    // That of the base models.
    "local",
    "mine",
  ]);
  expect((await call("DELETE", "/v1/namespaces/mine")).body).toMatchObject({
    id: "mine",
    message: "Resource deleted successfully.",
  });
  expect(await call("GET", "/v1/namespaces/mine")).toMatchObject({
    status: 404,
    body: { detail: "Namespace mine not found" },
  });
});

test("what is there already is a conflict that clients do not try again", async () => {
  const { call } = await platform();
  const dataset = { name: "d", files_url: "hf://datasets/default/d" };

  expect((await call("POST", "/v1/datasets", dataset)).status).toBe(200);
  const again = await call("POST", "/v1/datasets", dataset);
  expect(again).toMatchObject({ status: 409, body: { detail: "Dataset default/d already exists" } });
  expect(again.headers.get("x-should-retry")).toBe("false");
});

test("an entity in a namespace that nobody made is a 404 that names it", async () => {
  const { call } = await platform();

  const answer = await call("POST", "/v1/datasets", { namespace: "nowhere", files_url: "hf://datasets/a/b" });
  expect(answer).toMatchObject({ status: 404, body: { detail: "Namespace nowhere not found" } });
});

test("every field that cannot be used is named", async () => {
  const { call } = await platform();

  const { status, body } = await call("POST", "/v1/models", {
    name: "../x",
    artifact: { status: "done" },
    spec: { context_size: 1 },
  });
  expect(status).toBe(422);
  expect(body.detail.map(({ loc }: { loc: string[] }) => loc.join("."))).toEqual([
    "body.name",
    "body.artifact.files_url",
    "body.artifact.status",
    "body.spec.is_chat",
    "body.spec.num_parameters",
    "body.spec.num_virtual_tokens",
  ]);
});

test("names with an at sign and a plus are found raw and percent-encoded", async () => {
  const { call } = await platform();
  await call("POST", "/v1/models", { name: "m@v1.0.0+A100" });

  for (const name of ["m@v1.0.0+A100", "m%40v1.0.0+A100", "m%40v1.0.0%2BA100"]) {
    expect((await call("GET", `/v1/models/default/${name}`)).body.name).toBe("m@v1.0.0+A100");
  }
});

test("lists are paged, and a page past the end is empty", async () => {
  const { call } = await platform();
  for (let index = 0; index < 5; index += 1) {
    await call("POST", "/v1/projects", { name: `p${index}`, project: index % 2 === 0 ? "even" : "odd" });
  }

  const second = (await call("GET", "/v1/projects?page=2&page_size=2&sort=-created_at")).body;
  expect(second.data.map(({ name }: { name: string }) => name)).toEqual(["p2", "p1"]);
  expect(second.pagination).toEqual({ page: 2, page_size: 2, current_page_size: 2, total_pages: 3, total_results: 5 });
  expect((await call("GET", "/v1/projects?page=9&page_size=2")).body.data).toEqual([]);

  const even = (await call("GET", "/v1/projects?filter[project]=even&sort=name")).body;
  expect(even.data.map(({ name }: { name: string }) => name)).toEqual(["p0", "p2", "p4"]);
  expect(even).toMatchObject({ sort: "name", filter: { project: "even" } });
  const searched = (await call("GET", "/v1/projects?search[name]=P1,p3&search[created_at][start]=2020-01-01")).body;
  expect(searched.data.map(({ name }: { name: string }) => name)).toEqual(["p1", "p3"]);
});

test("a parameter that means nothing is refused by name", async () => {
  const { call } = await platform();

  const { status, body } = await call("GET", "/v1/projects?filter[colour]=red&page=0&sort=size");
  expect(status).toBe(422);
  expect(body.detail.map(({ loc }: { loc: string[] }) => loc.join("."))).toEqual([
    "query.page",
    "query.sort",
    "query.filter.colour",
  ]);
});

test("models are filtered by whether they have an adapter, and read as a list of OpenAI's", async () => {
  const { call } = await platform();
  await call("POST", "/v1/models", { name: "plain", base_model: "local/base" });
  await call("POST", "/v1/models", { name: "tuned", base_model: "local/base", peft: { finetuning_type: "lora" } });

  const { data } = (await call("GET", "/v1/models?filter[peft]=true")).body;
  expect(data).toHaveLength(1);
  expect(data[0]).toMatchObject({
    id: "default/tuned",
    object: "model",
    owned_by: "default",
    created: expect.any(Number),
  });
  expect((await call("GET", "/v1/models?filter[base_model]=local/base")).body.pagination.total_results).toBe(2);
});

test("what was made is there after a restart", async () => {
  const first = await startTestPlatform();
  await first.call("POST", "/v1/namespaces", { id: "kept" });
  await first.stop({ keep: true });

  const second = await startTestPlatform({ dir: first.dir });
  opened.push(second);
  expect((await second.call("GET", "/v1/namespaces/kept")).status).toBe(200);
});
