import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { oddFolder, toolFolder } from "./__fixtures__/tools.ts";
import { type RunShardsOptions, runShards, whyIncomplete } from "./run-shards.ts";

const NEVER = new AbortController().signal;

/** Runs three shards whose program is this script; `$shard` is which. */
async function run(dir: string, script: string, change: Partial<RunShardsOptions> = {}) {
  const tools = await toolFolder(dir, { collect: `shard=\${4%/*}; ${script}` });
  const said: string[] = [];
  const say = (kind: string) => (line: string) => void said.push(`${kind}: ${line}`);
  const launch = {
    ...{ dir: join(dir, "launch"), shards: 3, cwd: dir, config_file: "config.yml", program: [tools.tool("collect")] },
    ...{ collect_flags: [], merge_flags: [], variables: [] },
  };
  await mkdir(join(launch.dir, "logs"), { recursive: true });
  const running = runShards(launch, {
    ...{ env: tools.env, drain: NEVER, stop: NEVER, onProgress: say("progress") },
    log: { debug: say("debug"), info: say("info"), warn: say("warn") },
    ...change,
  });
  return { running, said, launch };
}

test("what shards say is told with their names, and how each ended", async () => {
  await using folder = await oddFolder();
  const script = `echo "on stdout $shard"; echo "1/2 examples · 3/s" >&2
    test $shard = 2 && { echo "warning: careful" >&2; echo "error[x]: bad" >&2; exit 2; }
    test $shard = 3 && kill -9 $$
    exit 0`;
  const { running, said, launch } = await run(folder.dir, script);
  const shards = await running;
  expect(shards).toMatchObject([
    { shard: 1, exit_code: 0, killed_by: null, run_dir: null },
    { shard: 2, exit_code: 2, killed_by: null },
    { shard: 3, exit_code: null, killed_by: "SIGKILL" },
  ]);
  expect(said.sort()).toEqual([
    "info: shard 2/3: error[x]: bad",
    ...[1, 2, 3].map((shard) => `progress: shard ${shard}/3: 1/2 examples · 3/s`),
    "warn: shard 2/3: careful",
  ]);
  const log = join(launch.dir, "logs", "shard-2.log");
  expect((await readFile(log, "utf8")).split("\n").sort().slice(1)).toEqual(
    ["1/2 examples · 3/s", "error[x]: bad", "on stdout 2", "warning: careful"].sort(),
  );
  expect(shards.map(whyIncomplete)).toEqual([
    expect.stringMatching(/^1 \(exit 0, see /),
    expect.stringMatching(/^2 \(exit 2, see /),
    expect.stringMatching(/^3 \(SIGKILL, see /),
  ]);
});

test("an interrupt is passed on once, and each shard ends as it likes", async () => {
  await using folder = await oddFolder();
  const drain = new AbortController();
  const script = `trap 'echo drained >&2; exit 130' INT; echo ready >&2; while :; do sleep 0.02; done`;
  let ready = 0;
  const counted = (line: string) => {
    if (line.endsWith("ready")) ready += 1;
    if (ready === 3) drain.abort();
  };
  const log = { debug: counted, info: counted, warn: counted };
  const { running } = await run(folder.dir, script, { drain: drain.signal, log });
  const shards = await running;
  expect(shards.map(({ exit_code }) => exit_code)).toEqual([130, 130, 130]);
  expect(whyIncomplete(shards[0]!)).toMatch(/^1 \(interrupted, see /);
});
