import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LoopRecord } from "../src/pipeline/loop/loop-record.ts";

const run = promisify(execFile);
const CLI = "dist/cli/main.js";
let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-rounds-"));
  await writeFile(join(dir, "config.yml"), CONFIG);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const EXAMPLE = resolve("examples/tic-tac-toe");
const CONFIG = `
base: ${EXAMPLE}/configs/config.yml
platform: {_type: embedded, serves: [training_llm]}
llms: {training_llm: {model_name: local/tic-tac-toe}}
trajectory_builders: {dpo_builder: {group_by: prompt, policy_candidates_only: true}}
eval: {general: {dataset: {file_path: ${EXAMPLE}/data/data.json}}}
trainer_adapters:
  nemo_customizer_trainer_adapter:
    customization_config: local/tic-tac-toe@v1.0.0+CPU
    poll_interval_seconds: 0.2
    dataset_output_dir: null
    hyperparameters: {epochs: 1, batch_size: 32, learning_rate: 0.001, dpo: {sft_loss_weight: 0.3}}
finetuning:
  gate: {metric: game_outcome}
  rounds: {count: 2, start_from: latest, learning_rate: {first: 0.001, last: 0.0005}}
`;

const env = () => ({ ...process.env, XDG_DATA_HOME: join(dir, "data") });
const command = (...flags: string[]) => {
  const output = ["-o", "finetuning.output_dir", join(dir, "out")];
  return [CLI, "finetune", join(dir, "config.yml"), ...output, "--json", ...flags];
};
const loopFile = () => join(dir, "out", "loop.json");
const readLoop = async () => JSON.parse(await readFile(loopFile(), "utf8")) as LoopRecord;

test("rounds that were killed after the first go on with the second, from the model of the first", async () => {
  const first = spawn(process.execPath, command(), { env: env(), stdio: "ignore" });
  for (const until = Date.now() + 100_000; !existsSync(loopFile()) && Date.now() < until; ) await wait(50);
  first.kill("SIGKILL");
  expect((await readLoop()).rounds).toHaveLength(1);

  const refused = await run(process.execPath, command(), { env: env() }).catch((error) => error);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("error[loop_unfinished]");

  const { stdout } = await run(process.execPath, command("--resume"), { env: env() });
  const result = JSON.parse(stdout);
  const { rounds, champion, base } = await readLoop();
  expect(rounds.map(({ round }) => round)).toEqual([1, 2]);
  const [one, two] = rounds;
  expect(one?.policy).toBe("local/tic-tac-toe");
  expect(two?.policy).toBe(one?.model);
  // Candidates of the first round make pairs in the second, too.
  expect(two?.pairs).toBeGreaterThan(one?.pairs ?? Number.POSITIVE_INFINITY);
  expect(base?.score).toEqual(expect.any(Number));
  const best = Math.max(base?.score ?? 0, ...rounds.map(({ score }) => score ?? 0));
  expect(champion?.score).toBe(best);
  expect(result.rounds.rounds).toHaveLength(2);

  for (const round of rounds) {
    const job = JSON.parse(await readFile(join(dir, "out", round.run_id, "job.json"), "utf8"));
    // What was there to be measured is gone; only a champion that was found better is deployed.
    const stays = round.round === champion?.round && result.verdict.promoted === true;
    expect(job).toMatchObject({ id: round.job_id, status: "completed" });
    if (result.job.id === round.job_id) expect(result.deployment).toEqual(job.deployment);
    expect(job.deployment).toMatchObject(stays ? { status: "ready", promoted: true } : { status: "deleted" });
  }
  const manifest = JSON.parse(await readFile(join(dir, "out", two?.run_id ?? "", "manifest.json"), "utf8"));
  expect(manifest.plan).toMatchObject({ metric: "game_outcome", llm: "training_llm", held_out: { examples: 11 } });

  // Killed after the last round, the last word is all that is left: it is said again, and nothing else is done.
  const over = await run(process.execPath, command("--resume"), { env: env() });
  expect(JSON.parse(over.stdout)).toMatchObject({ rounds: result.rounds, job: { id: two?.job_id } });
  expect(JSON.parse(over.stdout).verdict).toEqual(result.verdict);

  const flags = ["--rounds", "3", "--resume", "-o", "finetuning.held_out", "0.5"];
  const other = await run(process.execPath, command(...flags), { env: env() }).catch((error) => error);
  expect(other.code).toBe(2);
  expect(other.stderr).toContain("error[changed_since]");
}, 240_000);
