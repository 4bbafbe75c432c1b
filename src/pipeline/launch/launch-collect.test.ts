import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { silentLogger } from "../../lib/log.ts";
import { buildOptions } from "../pairs/__fixtures__/stored-runs.ts";
import { oddFolder, toolFolder } from "./__fixtures__/tools.ts";
import { type CollectLaunchOptions, launchCollect } from "./launch-collect.ts";
import { watchLaunch } from "./watch-launch.ts";

const NEVER = new AbortController().signal;
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

async function options(dir: string, change: Partial<CollectLaunchOptions> = {}): Promise<CollectLaunchOptions> {
  return {
    launch: {
      ...{ shards: 3, cwd: dir, config_file: join(dir, "config.yml"), program: ["pairwright"] },
      ...{ collect_flags: ["--seed", "1"], merge_flags: [], variables: ["OPENAI_API_KEY"] },
    },
    ...{ output_dir: join(dir, "out"), submitter: "slurm", pod: undefined, asked: { shards: 3 }, dry_run: false },
    ...{ resume: false, version: "0", parts: pairParts(), env: {}, now: () => NOW, drain: NEVER, stop: NEVER },
    ...{ log: silentLogger, onProgress: () => undefined },
    ...change,
  };
}

function pairParts(): CollectLaunchOptions["parts"] {
  const { runs: _, output: __, ...parts } = buildOptions([]);
  return { ...parts, dataset_output_dir: null } as CollectLaunchOptions["parts"];
}

const SBATCH = 'case "$2" in --dep*) echo "42;here";; *) echo 41;; esac';

test("Slurm gets an array with a task a shard and a merge after it, and their ids are told and kept", async () => {
  await using folder = await oddFolder();
  const tools = await toolFolder(folder.dir, { sbatch: SBATCH });
  const result = await launchCollect(await options(folder.dir, { env: tools.env }));
  expect(result.dir).toBe(join(folder.dir, "out", "launch-2026-01-02T03-04-05"));
  expect(result).toMatchObject({ job: { submitter: "slurm", id: "41", followed_by: ["42"] } });
  expect(await tools.calls()).toEqual([
    ["sbatch", "--parsable", join(result.dir, "collect.sbatch")],
    ["sbatch", "--parsable", "--dependency=afterany:41", join(result.dir, "merge.sbatch")],
  ]);
  expect(result.files.map((file) => basename(file)).sort()).toEqual(
    ["collect.sbatch", "merge.sbatch", "merge.sh", "shard.sh", "submit.sh"].sort(),
  );
  expect((await readdir(result.dir)).sort()).toEqual(
    ["collect.sbatch", "launch.json", "logs", "merge.sbatch", "merge.sh", "shard.sh", "submit.sh"].sort(),
  );
  const seen = { on: "collect", name: undefined, signal: NEVER } as const;
  expect(await watchLaunch(join(folder.dir, "out"), seen)).toMatchObject({
    ...{ dir: result.dir, job: { id: "41", followed_by: ["42"] }, merged: null },
    shards: [1, 2, 3].map((shard) => ({ shard, complete: false, run_dir: null })),
  });
});

test("an array's script has its options where sbatch looks for them", async () => {
  await using folder = await oddFolder();
  const { dir } = await launchCollect(await options(folder.dir, { dry_run: true }));
  const lines = (await readFile(join(dir, "collect.sbatch"), "utf8")).split("\n");
  // A per cent sign that is the path's own is doubled.
  const logs = `"${join(dir, "logs").replaceAll("%", "%%")}/shard-%a.log"`;
  expect(lines.slice(0, 8)).toEqual([
    "#!/bin/sh",
    "#SBATCH --job-name=pairwright-launch-2026-01-02T03-04-05",
    "#SBATCH --array=1-3",
    `#SBATCH --output=${logs}`,
    "#SBATCH --signal=B:TERM@120",
    "#SBATCH --open-mode=append",
    "#SBATCH --requeue",
    expect.stringContaining("SBATCH_PARTITION"),
  ]);
  expect(lines[8]).toMatch(/^exec sh '.*shard\.sh' "\$SLURM_ARRAY_TASK_ID"$/);
});

test.each([
  ["slurm", "sbatch"],
  ["kubernetes", "kubectl"],
] as const)("where %s is not there, the files are, and what to type is said", async (submitter, tool) => {
  await using folder = await oddFolder();
  const tools = await toolFolder(folder.dir);
  const pod = { container: "image", claim: "data", mount: folder.dir };
  const result = await launchCollect(await options(folder.dir, { env: tools.env, submitter, pod }));
  expect(result.job).toBeNull();
  expect(result.fault).toMatchObject({ code: "no_submitter", where: tool, exit_code: 2 });
  expect(result.fault?.fix).toContain("where it is, type: cd ");
  expect(result.files.filter((file) => !existsSync(file))).toEqual([]);
});

test.each([
  ["before anything is taken", "echo no such partition >&2; exit 1", "it ended with 1: no such partition", "mended"],
  [
    "after the array is taken",
    'case "$2" in --dep*) echo bad >&2; exit 1;; *) echo 41;; esac',
    "it ended with 1, after it took job 41: bad",
    "hand in the rest by hand",
  ],
  ["without a job", "echo hello", "it named no job: hello; hello", "mended"],
])("what Slurm refuses %s is told in its words", async (_, sbatch, what, fix) => {
  await using folder = await oddFolder();
  const tools = await toolFolder(folder.dir, { sbatch });
  const result = await launchCollect(await options(folder.dir, { env: tools.env }));
  expect(result.job).toBeNull();
  expect(result.fault).toMatchObject({ code: "submit_failed", what, fix: expect.stringContaining(fix), exit_code: 6 });
});

test("Kubernetes gets an Indexed Job, and the merge to apply after it; the same again replaces the Job", async () => {
  await using folder = await oddFolder();
  const tools = await toolFolder(folder.dir, { kubectl: 'echo "job.batch/pairwright-launch created"' });
  const pod = { container: "registry.example/pairwright:1", claim: "data", mount: folder.dir };
  const change = { env: tools.env, submitter: "kubernetes", pod } as const;
  const result = await launchCollect(await options(folder.dir, change));
  const manifest = join(result.dir, "collect.yaml");
  expect(await tools.calls()).toEqual([["kubectl", "apply", "-f", manifest]]);
  expect(result.job).toMatchObject({ submitter: "kubernetes", id: "job.batch/pairwright-launch" });
  expect(result.next).toMatch(/^kubectl wait .* && kubectl apply -f '.*merge\.yaml'$/);
  const text = await readFile(manifest, "utf8");
  expect(text).toContain('--from-literal=OPENAI_API_KEY="$OPENAI_API_KEY"');
  const { spec } = parse(text);
  expect(spec).toMatchObject({ completionMode: "Indexed", completions: 3, parallelism: 3, backoffLimitPerIndex: 3 });
  const [container] = spec.template.spec.containers;
  expect(container).toMatchObject({
    image: "registry.example/pairwright:1",
    workingDir: folder.dir,
    env: [{ name: "OPENAI_API_KEY", valueFrom: { secretKeyRef: { name: "pairwright-env", key: "OPENAI_API_KEY" } } }],
    volumeMounts: [{ mountPath: folder.dir }],
  });
  expect(container.command).toEqual([
    "sh",
    "-c",
    expect.stringContaining("JOB_COMPLETION_INDEX + 1"),
    expect.any(String),
  ]);

  await launchCollect(await options(folder.dir, { ...change, resume: true }));
  expect((await tools.calls())[1]).toEqual(["kubectl", "replace", "--force", "-f", manifest]);
});

test("what lies outside of the pods' volume is refused before anything is written", async () => {
  await using folder = await oddFolder();
  const pod = { container: "image", claim: "data", mount: "/elsewhere" };
  await expect(launchCollect(await options(folder.dir, { submitter: "kubernetes", pod }))).rejects.toMatchObject({
    code: "not_on_storage",
    exit_code: 2,
  });
  expect(existsSync(join(folder.dir, "out"))).toBe(false);
});

test("a launch is gone on with when the same was asked for, and by its name when it is finished", async () => {
  await using folder = await oddFolder();
  const dry = (change: Partial<CollectLaunchOptions>) =>
    options(folder.dir, { dry_run: true, ...change }).then(launchCollect);
  const first = await dry({});
  const second = await dry({ now: () => NOW });
  expect(second.dir).toBe(`${first.dir}-2`);
  expect(await dry({ resume: true })).toMatchObject({ dir: second.dir });
  expect(await dry({ resume: basename(first.dir) })).toMatchObject({ dir: first.dir });
  await expect(dry({ resume: true, asked: { shards: 4 } })).rejects.toMatchObject({
    code: "changed_since",
    what: expect.stringContaining("changed: shards"),
  });
  await expect(dry({ resume: "launch-none" })).rejects.toMatchObject({ code: "no_such_launch" });
  await expect(dry({ submitter: "ray" })).rejects.toMatchObject({ code: "not_supported" });
});

test("without a submitter the command runs all of it here", async () => {
  await using folder = await oddFolder();
  const tools = await toolFolder(folder.dir, { pairwright: "" });
  const base = await options(folder.dir, { submitter: undefined });
  const launch = { ...base.launch, shards: 2, program: [tools.tool("pairwright")] };
  const { start, job } = await launchCollect({ ...base, launch });
  expect(job).toBeNull();

  const ended = spawnSync(start.argv[0]!, start.argv.slice(1), { env: tools.env, encoding: "utf8" });
  // The program that only notes its words leaves no run to merge.
  expect(ended).toMatchObject({ status: 3, stderr: expect.stringContaining("not complete yet: 1 2") });
  expect((await tools.calls()).map((words) => words[words.indexOf("--shard") + 1]).sort()).toEqual(["1/2", "2/2"]);
});
