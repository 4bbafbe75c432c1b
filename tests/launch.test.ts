import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ModelServer, startModelServer } from "../src/testing/model-server.ts";
import { guessReply } from "./support/guesses.ts";
import { jsonOf } from "./support/program.ts";
import { makeProject, type Project, resultBytes, runDirs } from "./support/project.ts";

let server: ModelServer;
beforeAll(async () => {
  server = await startModelServer({ reply: guessReply });
});
afterAll(() => server.close());

const BATCHES = { model_name: "org/model", hyperparameters: { batch_size: 2 } };
const TRAINERS = {
  trainer_adapters: { trl: { _type: "trl_trainer_adapter", ...BATCHES } },
  finetuning: { output_dir: "trained" },
};

interface Launched {
  dir: string;
  files: string[];
  command: string;
  job: null;
  output?: string;
  pairs?: number;
  shards: { shard: number; complete: boolean; exit_code: number | null; killed_by: string | null; log: string }[];
  error?: { code: string; what: string };
}

test("a shard that is killed leaves the others running, and --resume makes what one undivided run makes, byte for byte", async () => {
  await using project = await makeProject({ url: server.url, examples: 7, general: { output_dir: "it's out" } });
  const out = join(project.dir, "it's out");
  expect(await project.run("collect", "config.yml", "--no-cache")).toMatchObject({ code: 0 });
  const undivided = await resultBytes((await runDirs(out))[0] ?? "");

  const launch = ["launch", "config.yml", "--on", "collect", "--shards", "2", "--submit", "local", "--json"];
  // The first shard has four examples, the second three.
  const killed = await project.runWith({ KILL_AT: "score:4" }, ...launch);
  expect(killed).toMatchObject({ code: 3, stderr: expect.stringContaining("error[shards_incomplete]") });
  const first = jsonOf<Launched>(killed);
  expect(first.shards).toMatchObject([
    { shard: 1, complete: false, exit_code: null, killed_by: "SIGKILL" },
    { shard: 2, complete: true, exit_code: 0 },
  ]);
  expect(first).toMatchObject({ job: null, error: { code: "shards_incomplete" } });
  expect(first.error?.what).toContain("1 of 2 shards are not complete: 1 (SIGKILL, see ");
  expect(first.pairs).toBeUndefined();

  const [calls, said] = [server.calls, await readFile(first.shards[1]!.log, "utf8")];
  const resumed = await project.run(...launch, "--resume");
  expect(resumed).toMatchObject({ code: 0, stderr: expect.stringContaining(`going on with ${first.dir}`) });
  const second = jsonOf<Launched>(resumed);
  expect(second.dir).toBe(first.dir);
  expect(second.shards).toMatchObject([{ exit_code: 0 }, { exit_code: null }]);
  // All examples had been played, and the second shard was not begun again.
  expect(server.calls).toBe(calls);
  expect(await readFile(first.shards[1]!.log, "utf8")).toBe(said);
  expect(await resultBytes(second.output ?? "")).toEqual(undivided);
  expect(second.pairs).toBe(undivided["pairs.jsonl"].split("\n").length - 1);
  expect((await readdir(second.dir)).sort()).toEqual(
    ["launch.json", "logs", "merge.sh", "merged", "shard-1", "shard-2", "shard.sh"].sort(),
  );
});

describe("from the command line", () => {
  let project: Project;
  /** The whole of PATH: a cluster's real tools must not hear of these tests. */
  let nowhere: { PATH: string };
  beforeAll(async () => {
    project = await makeProject({ url: "http://127.0.0.1:1", examples: 2, sections: TRAINERS });
    nowhere = { PATH: join(project.dir, "nowhere") };
    await mkdir(nowhere.PATH);
    const rows = Array.from({ length: 5 }, (_, place) => ({ prompt: `p${place}`, chosen: "good", rejected: "bad" }));
    await writeFile(join(project.dir, "pairs.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  });
  afterAll(() => project[Symbol.asyncDispose]());

  test("where sbatch is not there the files are written, and the exit code says that nothing was submitted", async () => {
    const args = ["config.yml", "--on", "collect", "--shards", "2", "--submit", "slurm", "--json"];
    const ended = await project.runWith(nowhere, "launch", ...args);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining("error[no_submitter]: sbatch:") });
    const launched = jsonOf<Launched>(ended);
    expect(launched).toMatchObject({ job: null, error: { code: "no_submitter" }, files: { length: 5 } });
    const written = await project.runWith(nowhere, "launch", ...args, "--dry-run", "--resume");
    expect(written).toMatchObject({ code: 0 });
    expect(jsonOf<Launched>(written)).toMatchObject({ job: null, dir: launched.dir, command: launched.command });
  });

  test("a training's files are written, and every way to start it is told", async () => {
    const args = ["config.yml", "--on", "trl", "--gpus", "0", "--dataset", "pairs.jsonl", "--json"];
    const ended = await project.runWith(nowhere, "launch", ...args, "--validation-dataset", "pairs.jsonl");
    expect(ended).toMatchObject({ code: 0 });
    expect(jsonOf(ended)).toMatchObject({
      ...{ job: null, training: 5, validation: 5 },
      commands: { local: expect.stringContaining("accelerate"), slurm: expect.stringContaining("sbatch") },
      refused: { kubernetes: expect.stringContaining("container") },
    });
  });

  test("of two trainer adapters, neither named, each target takes its own, and collecting takes none", async () => {
    const config = join(project.dir, "two.yml");
    const nemo_rl = { _type: "nemo_rl_trainer_adapter", nemo_rl_dir: "/opt/nemo-rl", ...BATCHES };
    await writeFile(config, JSON.stringify({ base: "config.yml", trainer_adapters: { nemo_rl } }));
    const pairs = ["--dataset", "pairs.jsonl", "--validation-dataset", "pairs.jsonl"];
    const launch = (...args: string[]) => project.run("launch", config, ...args, "--json");
    expect(jsonOf(await launch("--on", "trl", "--gpus", "0", ...pairs))).toMatchObject({ training: 5 });
    expect(jsonOf(await launch("--on", "nemo-rl", ...pairs))).toMatchObject({ training: 5 });
    expect(jsonOf(await launch("--on", "collect", "--shards", "2"))).toMatchObject({ files: { length: 2 } });
    expect(await project.run("collect", config)).toMatchObject({ code: 6 });
  });

  test("a job that has died is noticed, with what its scheduler says, and is exit code 5", async () => {
    const bin = { PATH: join(project.dir, "bin") };
    await mkdir(bin.PATH);
    const says = { sbatch: "Submitted batch job 7", squeue: "7 RUNNING", sacct: "7|TIMEOUT" };
    for (const [name, said] of Object.entries(says)) {
      await writeFile(join(bin.PATH, name), `#!/bin/sh\necho '${said}'\n`, { mode: 0o755 });
    }
    const args = ["launch", "config.yml", "--on", "trl", "--gpus", "0", "--dataset", "pairs.jsonl", "--json"];
    const pairs = ["--validation-dataset", "pairs.jsonl", "--submit", "slurm"];
    expect(await project.runWith(bin, ...args, ...pairs)).toMatchObject({ code: 0 });
    const watch = ["launch", "config.yml", "--on", "trl", "--watch", "--json"];
    const running = await project.runWith(bin, ...watch);
    expect(running).toMatchObject({ code: 0, stderr: expect.stringContaining("job: running (7 RUNNING)") });

    await writeFile(join(bin.PATH, "squeue"), "#!/bin/sh\n");
    const died = await project.runWith(bin, ...watch);
    expect(died).toMatchObject({ code: 5, stderr: expect.stringContaining("error[job_died]") });
    expect(jsonOf(died)).toMatchObject({
      ...{ job: { id: "7" }, job_state: { state: "failed", said: "7 TIMEOUT" } },
      error: { code: "job_died" },
    });
  });

  test("what a launch has started here ends when the launch is killed, and --watch says that it is gone", async () => {
    const [sleeper, pids] = [join(project.dir, "sleeper"), join(project.dir, "pids")];
    await writeFile(sleeper, `#!/bin/sh\nsleep 300 & echo $$ $! > '${pids}'; wait\n`, { mode: 0o755 });
    const launch = ["launch", "config.yml", "--on", "trl", "-o", "trainer_adapters.trl.python", sleeper];
    const pairs = ["--gpus", "0", "--dataset", "pairs.jsonl", "--validation-dataset", "pairs.jsonl"];
    const { child, ended } = project.start(...launch, ...pairs, "--submit", "local");
    const started = async () => (await readFile(pids, "utf8").catch(() => "")).split(/\s/).filter(Boolean).map(Number);
    await expect.poll(started, { timeout: 20_000 }).toHaveLength(2);
    const [trainer = 0, its_child = 0] = await started();
    expect([trainer, its_child].filter(isAlive)).toHaveLength(2);
    child.kill("SIGKILL");
    await ended;
    await expect.poll(() => [trainer, its_child].filter(isAlive), { timeout: 9_000 }).toEqual([]);
    const seen = await project.run(...launch, "--watch", "--json");
    expect(jsonOf(seen)).toMatchObject({ job_state: { state: "failed", said: expect.stringContaining("is gone") } });
  });

  test.each([
    ["a secret", ["--on", "collect", "--shards", "2", "-o", "llms.model.api_key", "sk-1"], "secret_in_script"],
    ["a flag of the other kind", ["--on", "trl", "--shards", "2"], "usage"],
    ["no adapter of that type", ["--on", "nemo-rl"], "no_trainer_adapter"],
  ])("%s is refused", async (_, args, code) => {
    const ended = await project.runWith(nowhere, "launch", "config.yml", ...args);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining(`error[${code}]`) });
    expect(ended.stderr).not.toContain("sk-1");
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
