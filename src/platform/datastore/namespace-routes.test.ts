import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestPlatform } from "../__fixtures__/test-platform.ts";

let platform: Awaited<ReturnType<typeof startTestPlatform>>;
beforeAll(async () => {
  platform = await startTestPlatform();
});
afterAll(() => platform.stop());

const PATH = "/v1/datastore/namespaces";

test("a namespace is made from a form or JSON, and told with the real service's 201", async () => {
  const form = await fetch(`${platform.origin}${PATH}/`, {
    method: "POST",
    body: new URLSearchParams({ namespace: "a" }),
  });
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect([form.status, await form.json()]).toEqual([201, { namespace: "a", created_at: time, updated_at: time }]);
  expect((await platform.call("POST", PATH, { namespace: "b" })).status).toBe(201);

  const again = await platform.call("POST", PATH, { namespace: "b" });
  expect([again.status, again.headers.get("x-should-retry")]).toEqual([409, "false"]);
  expect(await platform.call("GET", `${PATH}/b`)).toMatchObject({ status: 201, body: { namespace: "b" } });
  expect(
    (await platform.call("GET", `${PATH}/`)).body.map(({ namespace }: { namespace: string }) => namespace),
  ).toEqual(["a", "b"]);
  expect(await platform.call("GET", `${PATH}/c`)).toMatchObject({
    status: 404,
    body: { detail: "Namespace c not found" },
  });
});

test("a namespace with repositories is not deleted; one without is", async () => {
  await platform.call("POST", "/v1/hf/api/repos/create", { organization: "full", name: "x", type: "dataset" });
  expect((await platform.call("DELETE", `${PATH}/full`)).status).toBe(409);
  await platform.call("DELETE", "/v1/hf/api/repos/delete", { organization: "full", name: "x", type: "dataset" });
  expect((await platform.call("DELETE", `${PATH}/full/`)).status).toBe(204);
  expect((await platform.call("DELETE", `${PATH}/full`)).status).toBe(404);
});

test("a name that cannot be one is refused by its field", async () => {
  for (const body of [{}, { namespace: "a/b" }, { namespace: "datasets" }, { namespace: 1 }, null, "a"]) {
    const { status, body: answer } = await platform.call("POST", PATH, body);
    expect([status, answer.detail[0].loc[0]]).toEqual([422, "body"]);
  }
});
