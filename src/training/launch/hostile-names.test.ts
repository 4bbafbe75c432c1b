import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { nemoRlInput, trlInput } from "./__fixtures__/launch-inputs.ts";
import { kubernetesWord, rayLine, sbatchOptions } from "./__fixtures__/readers.ts";
import { NemoRlOptions, TrlOptions } from "./launch-options.ts";
import { planLaunch } from "./plan-launch.ts";

/** Whatever a folder may be called and a shell, sbatch, YAML, OmegaConf or Kubernetes would read as something else. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is the name of a folder
const HOSTILE = "it's \"q\" $HOME $(HOME) `id`; & | < > * ? [a] {b,c} ~ ! #1 50%d é 日本 ${x} no: - 'end";
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is the name of a folder
const BARE = "a;touch${IFS}x&'#";
const ENV = { HF_HOME: `/hf/${HOSTILE}`, MARK: "two\nlines $(HOME)", EMPTY: "" };

let root = "";
let bin = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "pairwright-hostile-"));
  bin = join(root, "bin");
  mkdirSync(bin);
  // Each says its words, one a line, in brackets; those that start others do.
  const say = `printf '[%s]\\n' "\${0##*/}" "$@"`;
  // More nodes than a pipe holds: who reads the first name alone must not end who tells them.
  const stubs = { python3: say, uv: `pwd; ${say}`, sbatch: say, scontrol: "seq -f node%g 100000" };
  const starts = {
    srun: 'for word in "$@"; do last=$word; done; exec bash -c "$last"',
    realpath: 'for word in "$@"; do last=$word; done; echo "$last"',
  };
  for (const [name, script] of Object.entries({ ...stubs, ...starts })) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function run(command: readonly string[], env: Record<string, string> = {}) {
  const [program = "", ...args] = command;
  const PATH = `${bin}:/usr/bin:/bin`;
  const ended = spawnSync(program, args, { env: { PATH, HOME: "/expanded", ...env }, cwd: root, encoding: "utf8" });
  expect(ended).toMatchObject({ status: 0, stderr: "" });
  return ended.stdout;
}

function places(name: string) {
  const dir = join(root, name, "launch");
  const file = (side: string) => ({ path: join(dir, "data", `${side}.jsonl`), rows: 1000 });
  return { dir, output: join(dir, "output"), files: { training: file("training"), validation: file("validation") } };
}

function wordsSaid(stdout: string): string[] {
  return [...stdout.matchAll(/^\[(.*)\]$/gm)].map(([, word]) => word ?? "");
}

function trl(name: string, options: object = {}) {
  const at = places(name);
  const kubernetes = { claim: "data", mount: root };
  const input = trlInput({ ...at, options: { env: ENV, kubernetes, ...options } });
  const { files, start } = planLaunch(input);
  const words = ["python3", "-m", "accelerate.commands.launch", "--config_file"];
  words.push(...["accelerate.yaml", "train_dpo.py", "train_dpo.json"].map((file) => join(at.dir, file)));
  return { ...at, start, words, text: (file: string) => files.find((one) => one.name === file)!.text };
}

test("TRL on Slurm is given the folders and variables that they are", () => {
  const { output, words, text, start } = trl(HOSTILE, { slurm: { account: 'my "team" #1', partition: "a b" } });
  expect(start.slurm).toMatchObject({ tool: "sbatch" });
  const script = text("train.sbatch");
  expect(sbatchOptions(script)).toEqual([
    ...["--job-name=dpo-1", "--nodes=1", "--ntasks-per-node=1", "--time=4:00:00"],
    ...[`--output=${output.replaceAll("%", "%%")}/slurm-%j.log`, '--account=my "team" #1', "--partition=a b"],
  ]);
  expect(run(["bash", "-n", "-c", script])).toBe("");
  expect(wordsSaid(run(["bash", "-c", script], { SLURM_JOB_NODELIST: "node1" }))).toEqual(words);
  const variables = `${script.slice(0, script.indexOf("MAIN_NODE="))}printf '%s' "$HF_HOME$MARK$EMPTY"`;
  expect(run(["bash", "-c", variables])).toBe(`${ENV.HF_HOME}${ENV.MARK}`);
});

test("several nodes and a Job of Kubernetes are given them, too", () => {
  const { words, text } = trl(HOSTILE, { container: "image" });
  const [container] = parse(text("job.yaml"), { version: "1.1" }).spec.template.spec.containers;
  const expanded = container.command.map((word: string) => kubernetesWord(word, { HOME: "/expanded" }));
  expect(wordsSaid(run(expanded))).toEqual(words);
  const env = container.env.map(({ value }: { value: string }) => kubernetesWord(value, { HOME: "/expanded" }));
  expect(env).toEqual(Object.values(ENV));

  const at = places(HOSTILE);
  const two = planLaunch(trlInput({ ...at, machine: { nodes: 2, gpus: 1 }, options: { env: ENV } }));
  const script = two.files.find(({ name }) => name === "train.sbatch")!.text;
  const [job, program] = [words.at(-1)!, words.at(-2)!];
  const place = ["--machine_rank", "1", "--main_process_ip", "node1", "--main_process_port", "29500"];
  expect(wordsSaid(run(["bash", "-c", script], { SLURM_NODEID: "1", SLURM_JOB_NODELIST: "node[1-2]" }))).toEqual([
    ...words.slice(0, -2),
    ...place,
    ...[program, job],
  ]);
});

test("what Ray or Slurm's containers would take for something else is refused by its name", () => {
  const { start } = trl(HOSTILE);
  expect(start.ray).toEqual({ refused: expect.stringContaining("Ray quotes its jobs for another shell") });
  expect(trl(BARE, { env: {} }).start.ray).toHaveProperty("refused");
  expect(trl("plain", { env: { A: "two\nlines" } }).start.ray).toHaveProperty("refused");
  expect(trl("back\\slash").start.slurm).toEqual({ refused: expect.stringContaining("backslash") });
  expect(trl("a,b", { container: "image" }).start.slurm).toEqual({ refused: expect.stringContaining("comma") });
  expect(trl("a,b").start.slurm).toHaveProperty("tool");
});

test.each(["plain", 'it\'s a; "b" & #1 é', "a tail\\"])("what Ray is given it starts: %j", (name) => {
  const { start, words } = trl(name, { env: { A: `x ${name}` } });
  const argv = "argv" in start.ray ? start.ray.argv : [];
  const line = rayLine(argv.slice(argv.indexOf("--") + 1));
  expect(wordsSaid(run(["sh", "-c", line]))).toEqual(words);
});

test("NeMo RL's configuration, RayJob and converter name the folders that they are", () => {
  const at = places(HOSTILE);
  const nemo_rl_dir = join(root, HOSTILE, "nemo");
  mkdirSync(nemo_rl_dir, { recursive: true });
  const options = { nemo_rl_dir, container: "image", env: ENV, kubernetes: { claim: "data", mount: root } };
  const { files, start } = planLaunch(nemoRlInput({ ...at, options }));
  const text = (name: string) => files.find((file) => file.name === name)!.text;
  // OmegaConf looks up what stands in `${…}` unless a backslash is before it.
  const config = JSON.parse(JSON.stringify(parse(text("dpo.yaml"), { version: "1.1" })).replaceAll("\\\\${", "${"));
  expect(config.defaults).toBe(`${nemo_rl_dir}/examples/configs/dpo.yaml`);
  expect(config.data.train.data_path).toBe(at.files.training.path);
  expect(config.logger.log_dir).toBe(`${at.output}/logs`);
  expect(text("dpo.yaml").match(/[^\\]\$\{/g)).toBeNull();

  const { entrypoint } = parse(text("rayjob.yaml"), { version: "1.1" }).spec;
  const said = run(["sh", "-c", entrypoint]);
  expect(said.split("\n")[0]).toBe(nemo_rl_dir);
  expect(wordsSaid(said).at(-1)).toBe(join(at.dir, "dpo.yaml"));

  const convert = text("to-hugging-face.sh");
  const converted = run(["bash", "-c", convert, "convert", `${HOSTILE}/step_1`, "out put"]);
  expect(converted.split("\n")[0]).toBe(nemo_rl_dir);
  expect(wordsSaid(converted)).toContain(`--dcp-ckpt-path=${HOSTILE}/step_1/policy/weights`);

  expect(start.slurm).toEqual({ refused: expect.stringContaining("NeMo RL's ray.sub takes no folder like") });
  expect(start.ray).toHaveProperty("refused");
});

test("a path that ends a line and a variable that is no name are refused", () => {
  for (const make of [nemoRlInput, trlInput]) {
    const gpus = { nodes: 1, gpus: 1 };
    expect(() => planLaunch(make({ ...places("a\ntouch x"), machine: gpus }))).toThrow(
      expect.objectContaining({ code: "path_unusable", exit_code: 2 }),
    );
  }
  const model = { model_name: "m" };
  for (const bad of [
    { env: { "A;touch x;B": "1" } },
    { slurm: { account: "a\ntouch x" } },
    { container: "image --privileged" },
    { container: "image\ntouch" },
  ]) {
    expect(TrlOptions.safeParse({ ...model, ...bad }).success).toBe(false);
    expect(NemoRlOptions.safeParse({ ...model, nemo_rl_dir: "/opt/nemo-rl", ...bad }).success).toBe(false);
  }
});
