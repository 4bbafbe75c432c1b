import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { firstRun } from "./__fixtures__/first-run.ts";
import { remoteWorkflow } from "./remote-workflow.ts";
import { runExample } from "./run-example.ts";

const candidate = {
  event_type: "TTC_END",
  event_timestamp: 1,
  name: "dpo_candidate_move",
  data: { turn_id: "t", turn_index: 0, candidate_index: 0, input: "q", output: "a", score: 1 },
  UUID: "u1",
};

async function serve(reply: (url: string, body: string) => { status?: number; text: string }) {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      const { status = 200, text } = reply(request.url ?? "", body);
      response.writeHead(status).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

async function runRemote(endpoint: string) {
  const remote = remoteWorkflow(endpoint, 5);
  try {
    return await runExample({ id: "e", index: 0, input: "why?", row: {} }, firstRun({ workflow: remote.run }));
  } finally {
    remote.close();
  }
}

test.each(["", "/generate", "/generate/full", "/generate/"])(
  "the endpoint may be written with the route %j",
  async (route) => {
    const seen: string[] = [];
    const server = await serve((url, body) => {
      seen.push(url, body);
      return {
        text: `intermediate_data: ${JSON.stringify({ payload: JSON.stringify(candidate) })}\n\ndata: {"value":"be"}\n\ndata: {"value":"cause"}\n`,
      };
    });
    const run = await runRemote(server.url + route);
    server.close();

    expect(seen).toEqual(["/generate/full", '{"input_message":"why?"}']);
    expect(run).toMatchObject({ status: "completed", output: "because" });
    expect(run.steps.filter(({ payload }) => payload.UUID === "u1")).toHaveLength(1);
  },
);

test.each([
  [{ status: 500, text: "boom" }, "endpoint_status"],
  [{ text: "" }, "endpoint_no_value"],
  [{ text: "data: nonsense\n" }, "endpoint_bad_reply"],
])("an endpoint that fails costs its example: %j", async (reply, code) => {
  const server = await serve(() => reply);
  const run = await runRemote(server.url);
  server.close();
  expect(run).toMatchObject({ status: "failed", error: { code } });
});

test("steps that cannot be read cost neither the answer nor the other steps, and are counted", async () => {
  const lines = ["nonsense", "[]", '{"payload":"{"}', '{"payload":{"event_type":"NEW_KIND"}}'];
  const good = JSON.stringify({ payload: candidate });
  const server = await serve(() => ({
    text: `${[...lines, good].map((line) => `intermediate_data: ${line}\n`).join("")}data: {"value":"because"}\n`,
  }));
  const run = await runRemote(server.url);
  server.close();

  expect(run).toMatchObject({ status: "completed", output: "because" });
  const ends = run.steps
    .map(({ payload }) => payload)
    .filter(({ event_type }) => /^(CUSTOM|TTC)_END$/.test(event_type));
  expect(ends).toMatchObject([
    { event_type: "TTC_END", UUID: "u1" },
    { event_type: "CUSTOM_END", name: "unreadable_remote_steps", data: { output: 4 } },
  ]);
});
