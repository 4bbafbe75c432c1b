import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { silentLogger } from "../../lib/log.ts";
import { kubernetesWord, sbatchOptions } from "../../training/launch/__fixtures__/readers.ts";
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
  const seen = { on: "collect", name: undefined, signal: NEVER, env: tools.env } as const;
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

test("a folder of any name is that folder to every script, to sbatch and to Kubernetes; one that no script can name is refused", async () => {
  await using folder = await oddFolder();
  const tools = await toolFolder(folder.dir, { pairwright: "" });
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the name of a folder
  const dir = join(folder.dir, '"q" $HOME $(HOME) `id`; & * #1 é ${x} no: - \'end');
  await mkdir(dir);
  const base = await options(dir, { dry_run: true });
  const launch = { ...base.launch, program: [tools.tool("pairwright")] };
  const slurm = await launchCollect({ ...base, launch });
  const run = (program: string, args: string[], env: Record<string, string> = {}) =>
    spawnSync(tools.tool(program), args, { env: { ...tools.env, HOME: "/expanded", ...env }, encoding: "utf8" });
  const scripts = slurm.files.filter((file) => /\.(sh|sbatch)$/.test(file));
  expect(scripts).toHaveLength(5);
  for (const script of scripts) expect(run("bash", ["-n", script])).toMatchObject({ status: 0, stderr: "" });
  const options_of = async (name: string) => sbatchOptions(await readFile(join(slurm.dir, name), "utf8"));
  const logs = join(slurm.dir, "logs").replaceAll("%", "%%");
  expect(await options_of("collect.sbatch")).toContain(`--output=${logs}/shard-%a.log`);
  expect(await options_of("merge.sbatch")).toContain(`--output=${logs}/merge.log`);
  expect(run("sh", [join(slurm.dir, "collect.sbatch")], { SLURM_ARRAY_TASK_ID: "2" })).toMatchObject({ status: 0 });

  const pod = { container: "image", claim: "data", mount: dir };
  const kubernetes = await launchCollect({ ...base, launch, submitter: "kubernetes", pod });
  const job = parse(await readFile(join(kubernetes.dir, "collect.yaml"), "utf8"), { version: "1.1" });
  const [container] = job.spec.template.spec.containers;
  expect(container.workingDir).toBe(dir);
  const command = container.command.map((word: string) => kubernetesWord(word, { HOME: "/expanded" }));
  expect(run(command[0], command.slice(1), { JOB_COMPLETION_INDEX: "0" })).toMatchObject({ status: 0, stderr: "" });

  const calls = await tools.calls();
  expect(calls.map((words) => words.slice(0, 3))).toEqual(Array(2).fill(["pairwright", "collect", launch.config_file]));
  expect(calls.map((words) => words.at(-1))).toEqual(
    [join(slurm.dir, "shard-2"), join(kubernetes.dir, "shard-1")].map((out) => `eval.general.output.dir=${out}`),
  );

  for (const bad of ["a\ntouch x", "back\\slash"]) {
    const refused = launchCollect({ ...base, output_dir: join(folder.dir, bad) });
    await expect(refused).rejects.toMatchObject({ code: "path_unusable", exit_code: 2 });
    expect(existsSync(join(folder.dir, bad))).toBe(false);
  }
});
