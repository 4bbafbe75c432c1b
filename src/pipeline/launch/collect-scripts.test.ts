import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { oddFolder, toolFolder } from "./__fixtures__/tools.ts";
import type { CollectLaunch } from "./collect-launch.ts";
import { collectScripts } from "./collect-scripts.ts";

async function written(dir: string) {
  const tools = await toolFolder(dir, { pairwright: "" });
  const launch: CollectLaunch = {
    ...{ dir: join(dir, "launch"), shards: 3, cwd: dir, config_file: join(dir, "my config.yml") },
    program: [tools.tool("pairwright")],
    collect_flags: ["-o", "llms.m.stop=it's $HOME", "--seed", "1"],
    merge_flags: ["-o", "llms.m.stop=it's $HOME"],
    variables: ["OPENAI_API_KEY", "MY_HOST"],
  };
  await mkdir(launch.dir);
  const texts: string[] = [];
  for (const { name, text } of collectScripts(launch)) {
    await writeFile(join(launch.dir, name), text);
    texts.push(text);
  }
  const run = (name: string, ...args: string[]) =>
    spawnSync(tools.tool("sh"), [join(launch.dir, name), ...args], { env: tools.env, encoding: "utf8", cwd: "/" });
  return { launch, tools, texts, run };
}

async function runFolder(launch: CollectLaunch, shard: number, status: string): Promise<string> {
  const out = join(launch.dir, `shard-${shard}`);
  await mkdir(join(out, "r1"), { recursive: true });
  await writeFile(join(out, "r1", "manifest.json"), JSON.stringify({ run_id: "r1", status }, null, 2));
  await symlink("r1", join(out, "latest"));
  return out;
}

test("shard.sh collects its shard into its own folder, and goes on with a run that is there", async () => {
  await using folder = await oddFolder();
  const { launch, tools, run } = await written(folder.dir);
  expect(run("shard.sh", "2")).toMatchObject({ status: 0, stderr: "" });
  const out = join(launch.dir, "shard-2");
  const words = [
    ...["pairwright", "collect", launch.config_file, ...launch.collect_flags],
    ...["--shard", "2/3", "-o", `eval.general.output.dir=${out}`],
  ];
  expect(await tools.calls()).toEqual([words]);

  await runFolder(launch, 2, "running");
  // What a task left that was killed on another machine.
  await writeFile(join(out, "r1", "run.lock"), "1 elsewhere");
  expect(run("shard.sh", "2")).toMatchObject({ status: 0, stderr: "" });
  expect((await tools.calls())[1]).toEqual([...words, "--resume", "latest"]);
  expect(existsSync(join(out, "r1", "run.lock"))).toBe(false);
});

test("while another task of the same shard lives, its lock stays", async () => {
  await using folder = await oddFolder();
  const { launch, tools, run } = await written(folder.dir);
  const out = await runFolder(launch, 1, "running");
  await writeFile(join(out, "r1", "run.lock"), "1 elsewhere");
  const shard = `exec ${JSON.stringify(tools.tool("flock"))} -n "$0" "$1" "$2" 1`;
  const held = spawnSync(
    tools.tool("sh"),
    ["-c", shard, join(out, "task.lock"), tools.tool("sh"), join(launch.dir, "shard.sh")],
    { env: tools.env, encoding: "utf8" },
  );
  expect(held).toMatchObject({ status: 0, stderr: "" });
  expect(existsSync(join(out, "r1", "run.lock"))).toBe(true);
  expect(run("shard.sh", "1").status).toBe(0);
  expect(existsSync(join(out, "r1", "run.lock"))).toBe(false);
});

test("merge.sh names the shards that are not complete, and joins them once they are", async () => {
  await using folder = await oddFolder();
  const { launch, tools, run } = await written(folder.dir);
  await runFolder(launch, 1, "completed");
  await runFolder(launch, 2, "interrupted");
  const refused = run("merge.sh");
  expect(refused).toMatchObject({ status: 3, stderr: expect.stringContaining("not complete yet: 2 3 (of 3 shards)") });
  expect(await tools.calls()).toEqual([]);

  await writeFile(join(launch.dir, "shard-2", "r1", "manifest.json"), JSON.stringify({ status: "completed" }, null, 2));
  await runFolder(launch, 3, "completed");
  expect(run("merge.sh")).toMatchObject({ status: 0, stderr: "" });
  expect(await tools.calls()).toEqual([
    [
      ...["pairwright", "pairs", "merge", ...[1, 2, 3].map((shard) => join(launch.dir, `shard-${shard}`, "latest"))],
      ...["--output", join(launch.dir, "merged"), "--config-file", launch.config_file, ...launch.merge_flags],
    ],
  ]);
});

test("scripts name the variables that they read, and hold no value of any", async () => {
  await using folder = await oddFolder();
  const { texts } = await written(folder.dir);
  expect(texts).toHaveLength(2);
  for (const text of texts) expect(text).toContain("# Reads of the environment: OPENAI_API_KEY, MY_HOST\n");
});
