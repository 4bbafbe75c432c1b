import { createHash } from "node:crypto";
import { join } from "node:path";
import { expect } from "vitest";
import { startPairwright } from "./program.ts";

/** An answer of the platform: whatever its JSON is. */
// biome-ignore lint: tests look into answers of every shape
export type Json = any;

export interface TrainingPlatform {
  origin: string;
  data: string;
  pid: number;
  call(method: string, path: string, body?: unknown): Promise<{ status: number; body: Json }>;
  /** Puts files into a data set's repository, and registers it. */
  upload(name: string, files: Record<string, string>): Promise<void>;
  /** Waits until a job is in one of these states, and gives its status. */
  until(id: string, ...statuses: string[]): Promise<Json>;
  /** A file of a repository, as a hub's client gets it. */
  download(path: string): Promise<Buffer>;
  /** Ctrl-C, and its end. */
  stop(): Promise<number | null>;
  /** kill -9 of the platform's process alone. */
  kill(): Promise<void>;
}

/** The built program's platform on any free port. */
export async function startTrainingPlatform(
  dir: string,
  { data = join(dir, "data"), models }: { data?: string; models: readonly string[] },
): Promise<TrainingPlatform> {
  const args = ["platform", "start", "--port", "0", "--data", data, "--models", ...models, "--json"];
  const started = startPairwright(args, { cwd: dir });
  const origin = await new Promise<string>((resolve, reject) => {
    let text = "";
    started.child.stdout?.on("data", (piece: string) => {
      text += piece;
      if (text.includes("\n")) resolve((JSON.parse(text) as { entity_host: string }).entity_host);
    });
    started.ended.then(({ stderr }) => reject(new Error(`the platform ended: ${stderr}`)), reject);
  });
  const call: TrainingPlatform["call"] = async (method, path, body) => {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(origin + path, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === "" ? undefined : JSON.parse(text) };
  };
  return {
    origin,
    data,
    pid: started.child.pid ?? 0,
    call,
    upload: (name, files) => upload({ origin, call }, name, files),
    async until(id, ...statuses) {
      const limit = Date.now() + 60_000;
      for (;;) {
        const { body } = await call("GET", `/v1/customization/jobs/${id}/status`);
        expect(typeof body.percentage_done).toBe("number");
        if (statuses.includes(body.status)) return body;
        if (["completed", "failed", "cancelled"].includes(body.status) || Date.now() > limit) {
          throw new Error(`the job is ${body.status}: ${JSON.stringify(body.status_logs)}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
    },
    async download(path) {
      const answer = await fetch(`${origin}/v1/hf/${path}`);
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`);
      return Buffer.from(await answer.arrayBuffer());
    },
    async stop() {
      started.child.kill("SIGINT");
      return (await started.ended).code;
    },
    async kill() {
      started.child.kill("SIGKILL");
      await started.ended;
    },
  };
}

async function upload(
  { origin, call }: Pick<TrainingPlatform, "origin" | "call">,
  name: string,
  files: Record<string, string>,
): Promise<void> {
  const repo = { name, organization: "default", type: "dataset" };
  await call("POST", "/v1/hf/api/repos/create", repo);
  const lines = [
    { key: "header", value: { summary: "rows" } },
    ...Object.entries(files).map(([path, text]) => ({
      key: "file",
      value: { path, content: Buffer.from(text).toString("base64"), encoding: "base64" },
    })),
  ];
  const answer = await fetch(`${origin}/v1/hf/api/datasets/default/${name}/commit/main`, {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body: lines.map((line) => JSON.stringify(line)).join("\n"),
  });
  expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("commitOid")]);
  await call("POST", "/v1/datasets", { name, files_url: `hf://datasets/default/${name}` });
}

export function jsonl(rows: readonly object[]): string {
  return rows.map((row) => JSON.stringify(row)).join("\n");
}

export function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
