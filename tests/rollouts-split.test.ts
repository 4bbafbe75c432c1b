import { existsSync } from "node:fs";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sha256 } from "../src/lib/hash.ts";
import { seededRandom } from "../src/lib/random.ts";
import { mergeShards } from "../src/pipeline/rollouts/merge-shards.ts";
import { perform } from "./support/perform.ts";
import { pairwright } from "./support/program.ts";
import { type Row, rolloutFolder, rolloutPairs } from "./support/rollout-pairs.ts";

/** Five rollouts a task; some tasks have two prompts, and some prompts stand in two tasks. */
function rollouts(seed: number, tasks: number): Row[] {
  const random = seededRandom(seed);
  return Array.from({ length: tasks * 5 }, (_, at) => {
    const task_id = Math.floor(at / 5);
    const draw = random();
    return {
      task_id,
      prompt: draw < 0.05 ? `question ${task_id + 1}` : `question ${task_id}${draw < 0.2 ? " b" : ""}`,
      completion: `answer ${at} ${"long ".repeat(Math.floor(random() * 9))}`,
      reward: Math.floor(random() * 11) / 10,
    };
  });
}

const lines = (rows: readonly unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

test("no task and no prompt stands on both sides, whatever they share", async () => {
  await using folder = await rolloutFolder();
  const input = join(folder.dir, "in.jsonl");
  let held = 0;
  for (let seed = 0; seed < 12; seed += 1) {
    const rows = rollouts(seed, 30);
    await writeFile(input, lines(rows));
    const of = new Map(rows.map((row) => [row.completion, row]));
    const validation = join(folder.dir, "val.jsonl");
    const built = await rolloutPairs(folder.dir, [input], { validation, validation_share: 0.4, strategy: "all_pairs" });
    const known = (side: Row[], name: string) => new Set(side.map(({ chosen }) => of.get(chosen)?.[name]));
    for (const name of ["task_id", "prompt"]) {
      const training = known(built.rows, name);
      expect([...known(built.validation_rows, name)].filter((value) => training.has(value))).toEqual([]);
    }
    held += built.validation_rows.length;
    expect(built.faults.split_overlap).toBeUndefined();
    // Both rollouts of a pair are of one task and one prompt.
    for (const { chosen, rejected } of [...built.rows, ...built.validation_rows]) {
      expect([of.get(chosen)?.task_id, of.get(chosen)?.prompt]).toEqual([
        of.get(rejected)?.task_id,
        of.get(rejected)?.prompt,
      ]);
    }
  }
  expect(held).toBeGreaterThan(50);
});

test("in whatever order the rows stand, the pairs and their sides are the same", async () => {
  await using folder = await rolloutFolder();
  const rows = rollouts(3, 60);
  const random = seededRandom(1);
  const shuffled = rows
    .map((row) => ({ row, draw: random() }))
    .sort((a, b) => a.draw - b.draw)
    .map(({ row }) => row);
  const validation = join(folder.dir, "val.jsonl");
  const sides: string[][][] = [];
  for (const [place, order] of [rows, shuffled].entries()) {
    const input = join(folder.dir, `${place}.jsonl`);
    await writeFile(input, lines(order));
    const built = await rolloutPairs(folder.dir, [input], { validation });
    sides.push([built.rows, built.validation_rows].map((side) => side.map((row) => JSON.stringify(row)).sort()));
  }
  expect(sides[1]).toEqual(sides[0]);
  expect(sides[0]?.every((side) => side.length > 3)).toBe(true);
});

test("the same rollouts give the same bytes, and the manifest says which", async () => {
  await using folder = await rolloutFolder();
  const input = join(folder.dir, "in.jsonl");
  await writeFile(input, lines(rollouts(5, 40)));
  const change = { validation: join(folder.dir, "val.jsonl") };
  const files = ["train.jsonl", "val.jsonl", "train.manifest.json"].map((name) => join(folder.dir, name));
  await rolloutPairs(folder.dir, [input], change);
  const first = await Promise.all(files.map((file) => readFile(file, "utf8")));
  await rolloutPairs(folder.dir, [input], change);
  expect(await Promise.all(files.map((file) => readFile(file, "utf8")))).toEqual(first);
  const manifest = JSON.parse(first[2] ?? "") as { inputs: unknown[]; files: unknown };
  expect(manifest.inputs).toEqual([{ name: input, reader: "completions", sha256: sha256(await readFile(input)) }]);
  expect(manifest.files).toMatchObject({
    training: { sha256: sha256(first[0] ?? "") },
    validation: { name: "val.jsonl", sha256: sha256(first[1] ?? "") },
  });
});

test("shards, merged, are what one undivided command writes, byte for byte", async () => {
  await using folder = await rolloutFolder();
  const input = join(folder.dir, "in.jsonl");
  await writeFile(input, lines(rollouts(7, 50)));
  const at = (shard: string, name: string) => join(folder.dir, shard, name);
  const whole = await rolloutPairs(folder.dir, [input], {
    output: at("whole", "train.jsonl"),
    validation: at("whole", "val.jsonl"),
    strategy: "all_pairs",
  });
  const shards: string[] = [];
  let pairs = 0;
  for (const index of [3, 1, 2]) {
    const output = at(`s${index}`, "train.jsonl");
    const shard = { index, of: 3 };
    const built = await rolloutPairs(folder.dir, [input], {
      output,
      validation: at(`s${index}`, "val.jsonl"),
      shard,
      strategy: "all_pairs",
    });
    shards.push(output);
    pairs += built.pairs;
  }
  expect(pairs).toBe(whole.pairs);
  const output = at("merged", "train.jsonl");
  const validation = at("merged", "val.jsonl");
  expect(await mergeShards(shards, { output, validation })).toMatchObject({ shards: 3, pairs });
  for (const name of ["train.jsonl", "val.jsonl"]) {
    expect(await readFile(at("merged", name), "utf8")).toBe(await readFile(at("whole", name), "utf8"));
  }
  await expect(mergeShards(shards.slice(1), { output, validation })).rejects.toMatchObject({
    code: "different_shards",
  });
  await expect(mergeShards([...shards, input], { output, validation })).rejects.toMatchObject({ code: "no_shard" });
  await expect(mergeShards(shards, { output: shards[0]!, validation })).rejects.toMatchObject({
    code: "output_is_input",
  });
  await expect(mergeShards(shards, { output })).rejects.toMatchObject({ code: "usage" });
  await appendFile(shards[0]!, "{}\n");
  await expect(mergeShards(shards, { output, validation })).rejects.toMatchObject({ code: "shard_changed" });
});

// Threads run built files alone; `npm test` builds them first.
const dist = new URL("../dist/", import.meta.url).pathname;
const testBuilt = test.skipIf(!existsSync(join(dist, "pipeline/rollouts/worker.js")));

testBuilt.each([
  ["nemo-rl-binary", 3000],
  // Threads load it when it is asked for.
  ["pairwright", 150],
] as const)("however many threads write %s, the bytes are the same", async (to, count) => {
  const { buildRolloutPairs } = await import(join(dist, "pipeline/rollouts/build-rollout-pairs.js"));
  const { BUILTIN_FORMATS } = await import(join(dist, "datasets/formats/builtin-formats.js"));
  const { BUILTIN_READERS } = await import(join(dist, "preferences/rollouts/readers/builtin-readers.js"));
  await using folder = await rolloutFolder();
  const input = join(folder.dir, "in.jsonl");
  await writeFile(input, lines(rollouts(9, count)));
  const readers = Object.entries(BUILTIN_READERS as Record<string, { reader: unknown }>).map(([name, { reader }]) => ({
    name,
    reader,
  }));
  const change = { readers, to, format: BUILTIN_FORMATS[to].format } as Parameters<typeof rolloutPairs>[2];
  const results: string[] = [];
  for (const threads of [0, 1, 3]) {
    const output = join(folder.dir, `${threads}.jsonl`);
    await rolloutPairs(folder.dir, [input], { ...change, output, threads, build: buildRolloutPairs } as typeof change);
    results.push(await readFile(output, "utf8"));
  }
  expect(results[0]?.length).toBeGreaterThan(33 * count);
  expect(results[1]).toBe(results[0]);
  expect(results[2]).toBe(results[0]);
});

testBuilt("the command prints what the seeds' script prints, and its result as JSON", async () => {
  await using folder = await rolloutFolder();
  const { dir } = folder;
  await writeFile(
    join(dir, "rollouts.jsonl"),
    lines([0, 1].map((reward) => ({ prompt: "p", completion: `c${reward}`, reward }))),
  );
  const args = [
    "rollouts",
    "--input",
    "rollouts.jsonl",
    "--output",
    "dpo_data/train.jsonl",
    "--strategy",
    "same_prompt",
    "--min_gap",
    "0.2",
  ];
  const ended = await pairwright(args, { cwd: dir });
  expect(ended.stdout).toBe(
    [
      "Loaded 2 rollouts from rollouts.jsonl",
      "Found 1 task; 1 group of rollouts with one task and prompt",
      "Created 1 pair",
      "Average reward gap: 1.000",
      "Average chosen reward: 1.000",
      "Average rejected reward: 0.000",
      "Wrote 1 pair to dpo_data/train.jsonl",
      "",
    ].join("\n"),
  );
  expect(ended.code).toBe(0);
  const json = await perform([...args, "--json"], { cwd: dir });
  expect(JSON.parse(json.stdout)).toMatchObject({
    rollouts: 2,
    tasks: 1,
    pairs: 1,
    skipped: {},
    training: 1,
    validation: 0,
  });
  const none = await perform([...args, "--min_gap", "2"], { cwd: dir });
  expect([none.code, none.stderr]).toEqual([4, expect.stringContaining("fix: lower --min_gap")]);
  const misplaced = await perform([...args, "--across-tasks"], { cwd: dir });
  expect([misplaced.code, misplaced.stderr]).toEqual([2, expect.stringContaining("--strategy stratified")]);
});
