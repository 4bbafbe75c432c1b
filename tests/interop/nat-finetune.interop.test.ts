import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { summary } from "./platform/call-counter.ts";
import { type RunningPlatform, startRunningPlatform } from "./platform/platform-process.ts";
import { averageScore, makeGames, nat } from "./platform/toolkit.ts";
import { pythonEnv } from "./python-env.ts";

const { env, skip } = await pythonEnv("requirements-toolkit.txt");

interface Job {
  id: string;
  status: string;
  output_model: string;
  dataset: string;
  status_details: { status_logs: unknown[]; percentage_done: number };
}

/** What it plays to collect pairs, and what it is measured in. */
const TRAINING_GAMES = makeGames(240, 1);
const EVALUATION_GAMES = makeGames(150, 2);

describe.skipIf(env === null)(`the Python toolkit, nvidia-nat 1.9.0 ${skip ?? ""}`, () => {
  let platform: RunningPlatform;
  let dir: string;
  let base: string;
  let job: Job;

  const get = async <T>(path: string) => (await (await fetch(`${platform.url}${path}`)).json()) as T;
  const measure = async (model: string, name: string) => {
    const games = EVALUATION_GAMES;
    const said = await nat(env!, "eval", { platform, dir: join(dir, name), games, model });
    expect(said).toContain("COMPLETED");
    return averageScore(join(dir, name));
  };

  beforeAll(async () => {
    platform = await startRunningPlatform();
    dir = await mkdtemp(join(tmpdir(), "pairwright-interop-nat-"));
    const { data } = await get<{ data: { id: string }[] }>("/nim/v1/models");
    base = data[0]?.id ?? "";
  });
  afterAll(async () => {
    expect(platform.calls.length).toBeGreaterThan(0);
    const head = `nvidia-nat 1.9.0: ${platform.calls.length} calls`;
    process.stdout.write(`${[head, ...summary(platform.calls).map((line) => `  ${line}`)].join("\n")}\n`);
    await platform[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  test("nat finetune plays, uploads its pairs, trains, and deploys the model", async () => {
    const { data } = await get<{ data: { namespace: string; name: string }[] }>("/v1/customization/configs");
    const customization_config = `${data[0]?.namespace}/${data[0]?.name}`;
    const settings = { platform, dir: join(dir, "finetune"), games: TRAINING_GAMES, model: base, customization_config };

    const said = await nat(env!, "finetune", settings);

    const jobs = (await get<{ data: Job[] }>("/v1/customization/jobs")).data;
    expect([jobs.length, said]).toEqual([1, expect.not.stringContaining("failed job")]);
    job = jobs[0]!;
    expect(job).toMatchObject({ status: "completed", dataset: "nat-dpo-test/nat-dpo" });
    const { data: deployed } = await get<{ data: { name: string; namespace: string; status_details: object }[] }>(
      "/v1/deployment/model-deployments",
    );
    expect(deployed).toMatchObject([
      { name: "nat_dpo_tic_tac_toe_model", namespace: "nat-dpo-test", status_details: { status: "ready" } },
    ]);
    const metrics = JSON.parse(await readFile(join(dir, "finetune/finetuning/final_metrics.json"), "utf8"));
    expect(metrics).toMatchObject({ status: "completed", progress: 100, job_metadata: { job_id: job.id } });
    expect(metrics.collection_summary.total_dpo_pairs).toBeGreaterThan(100);
  });

  test("the seeds' requests find the job", async () => {
    const curl = async (path: string) => {
      const args = ["-sS", "-X", "GET", `${platform.url}${path}`, "-H", "Authorization: Bearer your-ngc-api-key"];
      return JSON.parse((await promisify(execFile)("curl", args)).stdout);
    };
    expect((await curl("/v1/customization/configs")).data.length).toBeGreaterThan(0);
    const { data } = await curl("/v1/customization/jobs?namespace=nat-dpo-test");
    expect(data.map(({ id }: Job) => id)).toEqual([job.id]);
    const { status_details } = (await curl(`/v1/customization/jobs/${job.id}`)) as Job;
    expect(status_details.percentage_done).toBe(100);
    expect(status_details.status_logs.length).toBeGreaterThan(0);
  });

  test("nat eval plays with the deployed model, better than the base model did", async () => {
    const before = await measure(base, "before");
    // As the seeds export it: "everything before the @ symbol".
    const after = await measure(job.output_model.split("@")[0] ?? "", "after");
    process.stdout.write(
      `nat eval: ${before.toFixed(3)} with the base model, ${after.toFixed(3)} with the trained one\n`,
    );
    expect(after).toBeGreaterThan(before + 0.05);
  });
});
