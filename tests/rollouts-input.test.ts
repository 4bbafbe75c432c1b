import { appendFileSync, existsSync, truncateSync } from "node:fs";
import { appendFile, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import * as zlib from "node:zlib";
import { expect, test } from "vitest";
import { seededRandom } from "../src/lib/random.ts";
import type { RolloutProgress } from "../src/pipeline/rollouts/rollout-progress.ts";
import { BUILTIN_READERS } from "../src/preferences/rollouts/readers/builtin-readers.ts";
import type { RolloutReader } from "../src/registry/training.ts";
import { type Row, rolloutFolder, rolloutPairs } from "./support/rollout-pairs.ts";

const row = (task: number, reward: unknown, text = `answer ${task} ${String(reward)}`, more: Row = {}): Row => ({
  task_id: task,
  prompt: `question ${task}`,
  completion: text,
  reward,
  ...more,
});
const lines = (rows: readonly unknown[]) => rows.map((one) => `${JSON.stringify(one)}\n`).join("");
const PAIR = [row(1, 1), row(1, 0)];

/** Writes a file of rollouts, and makes pairs of it. */
async function pairsOf(content: string | Buffer, change: Parameters<typeof rolloutPairs>[2] = {}) {
  await using folder = await rolloutFolder();
  const path = join(folder.dir, "in.jsonl");
  await writeFile(path, content);
  const built = await rolloutPairs(folder.dir, [path], change);
  expect((await readdir(folder.dir)).filter((name) => name.includes("partial"))).toEqual([]);
  return { ...built, files: await readdir(folder.dir) };
}

test("the rows are those of the seeds' script, with its keys and its figures", async () => {
  const built = await pairsOf(lines([...PAIR, row(1, 0.5), row(2, 0.5), row(2, 0.25), row(3, 1)]));
  expect(built.rows).toEqual([
    {
      prompt: "question 1",
      chosen: "answer 1 1",
      rejected: "answer 1 0",
      chosen_reward: 1,
      rejected_reward: 0,
      reward_gap: 1,
    },
    {
      prompt: "question 2",
      chosen: "answer 2 0.5",
      rejected: "answer 2 0.25",
      chosen_reward: 0.5,
      rejected_reward: 0.25,
      reward_gap: 0.25,
    },
  ]);
  expect(Object.keys(built.rows[0]!)).toEqual([
    "prompt",
    "chosen",
    "rejected",
    "chosen_reward",
    "rejected_reward",
    "reward_gap",
  ]);
  expect(built).toMatchObject({
    rollouts: 6,
    tasks: 3,
    averages: { reward_gap: 0.625, chosen_reward: 0.75, rejected_reward: 0.125 },
  });
  expect(built.skipped).toEqual({ single_rollout: 1 });
});

test("an empty file gives nothing, and writes nothing", async () => {
  for (const content of ["", "\n\n \n", "\uFEFF"]) {
    const built = await pairsOf(content);
    expect(built).toMatchObject({ rollouts: 0, pairs: 0, bad: 0, warnings: [], files: ["in.jsonl"] });
  }
});

test("a line of 100 MB is a line like any other", async () => {
  const built = await pairsOf(lines([row(1, 1, "a".repeat(100 << 20)), row(1, 0), ...[row(2, 1), row(2, 0)]]), {
    max_bad: 0,
  });
  expect(built).toMatchObject({ rollouts: 4, pairs: 2, bad: 0, faults: { over_long: 1 } });
  expect(String(built.rows[0]?.chosen)).toHaveLength(100 << 20);
}, 60_000);

test("bytes that are no text, and text that is no JSON, are named with their line", async () => {
  const garbage = Buffer.from([0x7b, 0xff, 0xfe, 0x00, 0x80, 0x0a]);
  await expect(pairsOf(Buffer.concat([Buffer.from(lines(PAIR)), garbage]))).rejects.toMatchObject({
    code: "bad_line",
    where: expect.stringMatching(/in\.jsonl:3$/),
    what: "this line is not UTF-8",
  });
  const mixed = Buffer.concat([garbage, Buffer.from(`${lines(PAIR)}{"half":\n[1]\n"text"\n`), garbage]);
  const built = await pairsOf(mixed, { max_bad: 5 });
  expect(built).toMatchObject({ pairs: 1, bad: 5 });
  expect(built.bad_lines.map(({ line, problem }) => [line, problem])).toEqual([
    [1, "this line is not UTF-8"],
    [4, "this line is not JSON"],
    [5, "a row is an object"],
    [6, "a row is an object"],
    [7, "this line is not UTF-8"],
  ]);
  const sixteen = Buffer.from(`\uFEFF${lines(PAIR)}`, "utf16le");
  await expect(pairsOf(sixteen)).rejects.toMatchObject({ code: "bad_line", what: "this line is not UTF-8" });
});

test("rows of several kinds in one file: those that are not its reader's are bad lines", async () => {
  const others = [
    { messages: [{ role: "user", content: "x" }], choices: [] },
    { prompt: "p", responses: [] },
  ];
  await expect(pairsOf(lines([...PAIR, ...others]))).rejects.toMatchObject({ code: "bad_line" });
  expect(await pairsOf(lines([...PAIR, ...others]), { max_bad: 2 })).toMatchObject({ pairs: 1, bad: 2 });
  await using folder = await rolloutFolder();
  await writeFile(join(folder.dir, "a.jsonl"), lines(PAIR));
  await writeFile(
    join(folder.dir, "b.jsonl"),
    lines([
      {
        prompt: "p",
        responses: [
          { text: "a", score: 1 },
          { text: "b", score: 0 },
        ],
      },
    ]),
  );
  const both = await rolloutPairs(folder.dir, [join(folder.dir, "?.jsonl")]);
  expect(both.pairs).toBe(2);
  expect(both.warnings.join()).toMatch(/completions.*scored-responses/);
});

test("a try that was written twice is one; other tries under its number are tries of their own", async () => {
  const numbered = (rollout_index: number, reward: number, text: string) => row(1, reward, text, { rollout_index });
  const twice = await pairsOf(lines([numbered(0, 1, "a"), numbered(0, 1, "a"), numbered(1, 0, "b")]));
  expect(twice).toMatchObject({ pairs: 1, skipped: { duplicate_rollout: 1 } });
  const again = await pairsOf(lines([numbered(0, 1, "a"), numbered(0, 0, "b")]));
  expect(again).toMatchObject({ pairs: 1, skipped: {} });
});

test("a task of 100,000 rollouts", async () => {
  const random = seededRandom(1);
  const rows = Array.from({ length: 100_000 }, (_, at) => row(1, Math.floor(random() * 1000) / 1000, `a${at}`));
  const built = await pairsOf(lines(rows), { strategy: "all_pairs" });
  expect(built).toMatchObject({ rollouts: 100_000, tasks: 1, pairs: 32 });
}, 60_000);

test("rewards that are no finite number are unscored, as Python writes them too; huge ones are compared or counted", async () => {
  const text = `${lines(PAIR)}{"task_id":1,"prompt":"question 1","completion":"n","reward":NaN}\n{"task_id":1,"prompt":"question 1","completion":"i","reward":-Infinity}\n`;
  const odd = [null, "1", true, {}, undefined].map((reward, at) => row(1, reward, `odd ${at}`));
  const built = await pairsOf(text + lines(odd));
  expect(built).toMatchObject({ pairs: 1, skipped: { unscored: 7 }, bad: 0 });
  expect(built.rows[0]).toMatchObject({ chosen_reward: 1, rejected_reward: 0 });
  const huge = await pairsOf(
    lines([row(1, 1e308), row(1, 1e307), row(2, 1e308), row(2, -1e308), row(3, Number.POSITIVE_INFINITY)]),
  );
  expect(huge).toMatchObject({ pairs: 1, skipped: { infinite_gap: 1, unscored: 1 } });
});

test("texts of every kind come through as they were", async () => {
  const texts = [
    "\ud800 alone",
    "e\u0301 é",
    "a\u2028\u2029",
    "\u0000\u001f",
    "👩‍👩‍👧 𝄞",
    "\u202e rtl",
    "\ufeffb",
    '\\ " / \b',
    "\udfff\ud800",
  ];
  for (const text of texts) {
    const [written] = (await pairsOf(lines([row(1, 1, text), row(1, 0, "b")]))).rows;
    expect(written?.chosen).toBe(text);
  }
});

test("a byte-order mark, carriage returns, blank lines and a missing last newline are no content", async () => {
  const text = `\uFEFF${PAIR.map((one) => JSON.stringify(one)).join("\r\n\r\n")}`;
  const built = await pairsOf(text);
  expect(built).toMatchObject({ rollouts: 2, pairs: 1, bad: 0 });
  expect(built.rows[0]?.chosen).toBe("answer 1 1");
});

/** A reader that does something to the file when it is first asked. */
function meddling(then: () => void): RolloutReader {
  const { reader } = BUILTIN_READERS.completions!;
  return {
    recognises: (rows) => {
      then();
      return reader.recognises(rows);
    },
    rollouts: (one) => reader.rollouts(one),
  };
}

test("what a file grows by while it is read is left alone; a last line that is being written is no bad one", async () => {
  await using folder = await rolloutFolder();
  const path = join(folder.dir, "in.jsonl");
  const last = JSON.stringify(row(2, 1));
  await writeFile(path, `${lines(PAIR)}${last.slice(0, 20)}`);
  const reader = meddling(() => appendFileSync(path, `${last.slice(20)}\n${lines([row(2, 0)])}`));
  const built = await rolloutPairs(folder.dir, [path], { readers: [{ name: "meddling", reader }] });
  expect(built).toMatchObject({ rollouts: 2, pairs: 1, bad: 0 });
  expect(built.warnings.join()).toMatch(/grows: its last line, 3,/);
  // The same half line in a file that stays as it is was cut, and nobody will end it.
  await expect(pairsOf(`${lines(PAIR)}${last.slice(0, 20)}`)).rejects.toMatchObject({ code: "bad_line" });
});

test("a file that is changed between its two readings is an error, and leaves nothing", async () => {
  await using folder = await rolloutFolder();
  const path = join(folder.dir, "in.jsonl");
  await writeFile(path, lines(PAIR));
  let calls = 0;
  const { reader } = BUILTIN_READERS.completions!;
  const shrinking: RolloutReader = {
    recognises: (rows) => reader.recognises(rows),
    rollouts: (one) => {
      calls += 1;
      if (calls === 2) truncateSync(path, 10);
      return reader.rollouts(one);
    },
  };
  const built = rolloutPairs(folder.dir, [path], { readers: [{ name: "shrinking", reader: shrinking }] });
  await expect(built).rejects.toMatchObject({ code: "input_changed" });
  expect(await readdir(folder.dir)).toEqual(["in.jsonl"]);
});

test("an output that is an input is refused, by whatever name; so are two outputs of one name", async () => {
  await using folder = await rolloutFolder();
  const path = join(folder.dir, "in.jsonl");
  await writeFile(path, lines(PAIR));
  await symlink(path, join(folder.dir, "link.jsonl"));
  for (const output of [path, join(folder.dir, "link.jsonl"), join(folder.dir, "x/../in.jsonl")]) {
    await expect(rolloutPairs(folder.dir, [path], { output })).rejects.toMatchObject({ code: "output_is_input" });
  }
  await expect(rolloutPairs(folder.dir, [path], { validation: path })).rejects.toMatchObject({
    code: "output_is_input",
  });
  const output = join(folder.dir, "out.jsonl");
  await expect(rolloutPairs(folder.dir, [path], { output, validation: output })).rejects.toMatchObject({
    code: "usage",
  });
  expect(await readFile(path, "utf8")).toBe(lines(PAIR));
});

test("an output that cannot be a file is refused before anything is read", async () => {
  await using folder = await rolloutFolder();
  const path = join(folder.dir, "in.jsonl");
  await writeFile(path, lines(PAIR));
  await mkdir(join(folder.dir, "folder"));
  for (const name of ["folder", "in.jsonl/out.jsonl", "in.jsonl/new/out.jsonl"]) {
    const output = join(folder.dir, name);
    const refused = { code: "output_not_writable", where: output, exit_code: 2 };
    await expect(rolloutPairs(folder.dir, [path], { output })).rejects.toMatchObject(refused);
    await expect(rolloutPairs(folder.dir, [path], { validation: output })).rejects.toMatchObject(refused);
  }
  expect((await readdir(folder.dir)).sort()).toEqual(["folder", "in.jsonl"]);
});

test("packed files, a pipe, a pattern, and one JSON document", async () => {
  await using folder = await rolloutFolder();
  const at = (name: string) => join(folder.dir, name);
  await writeFile(at("a.jsonl.gz"), zlib.gzipSync(lines(PAIR)));
  await writeFile(at("b.jsonl"), lines([row(2, 1), row(2, 0)]));
  await writeFile(at("b_failures.jsonl"), lines([row(2, 0, "placeholder")]));
  await writeFile(
    at("c.json"),
    `[\n  ${[row(3, 1), row(3, 0)].map((one) => JSON.stringify(one, null, 2)).join(",\n")}\n]`,
  );
  expect((await rolloutPairs(folder.dir, [at("a.jsonl.gz")])).pairs).toBe(1);
  const piped = await rolloutPairs(folder.dir, ["-"], { stdin: Readable.from([lines(PAIR)]) });
  expect(piped.pairs).toBe(1);
  const all = await rolloutPairs(folder.dir, [at("?.json*"), at("b*.jsonl")], { output: at("out/train.txt") });
  expect(all).toMatchObject({ rollouts: 6, pairs: 3 });
  expect(all.warnings.join()).toMatch(/b_failures\.jsonl/);
  expect(await readdir(at("out"))).toEqual(["train.manifest.json", "train.txt"]);
  await writeFile(at("cut.jsonl.gz"), zlib.gzipSync(lines(PAIR)).subarray(0, 40));
  await expect(rolloutPairs(folder.dir, [at("cut.jsonl.gz")])).rejects.toMatchObject({ code: "not_unpacked" });
  for (const name of ["none.jsonl", "none*.jsonl", "out"]) {
    await expect(rolloutPairs(folder.dir, [at(name)])).rejects.toMatchObject({ code: "no_input" });
  }
  expect((await readdir(folder.dir)).filter((name) => name.includes("partial"))).toEqual([]);
});

test("zstd is unpacked where Node can, and else said", async () => {
  await using folder = await rolloutFolder();
  const path = join(folder.dir, "a.jsonl.zst");
  const { zstdCompressSync } = zlib as { zstdCompressSync?: (data: string) => Buffer };
  await writeFile(path, zstdCompressSync?.(lines(PAIR)) ?? "");
  const built = rolloutPairs(folder.dir, [path]);
  if (zstdCompressSync === undefined) await expect(built).rejects.toMatchObject({ code: "no_zstd" });
  else expect((await built).pairs).toBe(1);
});

test("an error leaves an earlier output as it was", async () => {
  await using folder = await rolloutFolder();
  const path = join(folder.dir, "in.jsonl");
  await writeFile(path, lines(PAIR));
  const before = await rolloutPairs(folder.dir, [path]);
  const stood = await readFile(before.output, "utf8");
  await appendFile(path, "no JSON\n");
  await expect(rolloutPairs(folder.dir, [path])).rejects.toMatchObject({ code: "bad_line" });
  await writeFile(path, lines([row(1, 1)]));
  expect((await rolloutPairs(folder.dir, [path])).pairs).toBe(0);
  expect(await readFile(before.output, "utf8")).toBe(stood);
  expect(existsSync(join(folder.dir, "train.manifest.json"))).toBe(true);
});

test("how far it has come is told: what is unpacked, what is read of all, and the pairs that are written", async () => {
  await using folder = await rolloutFolder();
  const text = lines(Array.from({ length: 20_000 }, (_, place) => row(place >> 1, place % 2)));
  const [plain, packed] = [join(folder.dir, "in.jsonl"), join(folder.dir, "more.jsonl.gz")];
  await writeFile(plain, text);
  await writeFile(packed, zlib.gzipSync(lines(PAIR)));
  const told: RolloutProgress[] = [];
  const built = await rolloutPairs(folder.dir, [plain, packed], { onProgress: (progress) => told.push(progress) });
  const of = (stage: RolloutProgress["stage"]) => told.filter((progress) => progress.stage === stage);
  expect(told.map(({ stage }) => stage).filter((stage, at, all) => stage !== all[at - 1])).toEqual([
    "unpack",
    "read",
    "write",
  ]);
  const { size } = await stat(packed);
  expect(of("unpack").at(-1)).toMatchObject({ bytes: size, total_bytes: size });
  const bytes = text.length + lines(PAIR).length;
  expect(of("read").length).toBeGreaterThan(1);
  expect(of("read").at(-1)).toMatchObject({ bytes, total_bytes: bytes, rows: 20_002 });
  expect(of("write").length).toBeGreaterThan(1);
  expect(of("write").at(-1)).toMatchObject({ pairs: 10_000, total_pairs: 10_000 });
  expect(built.pairs).toBe(10_000);
});

test("a call of a tool that would be dropped is named by its file and line", async () => {
  await using folder = await rolloutFolder();
  const call = { id: "c", type: "function", function: { name: "f", arguments: "{}" } };
  const called = (answer: string) => [
    { role: "assistant", content: "", tool_calls: [call] },
    { role: "tool", tool_call_id: "c", content: "1" },
    { role: "assistant", content: answer },
  ];
  const path = join(folder.dir, "in.jsonl");
  const rows = [row(2, 0), row(1, 0, "no"), { ...row(1, 1), completion: called("yes") }];
  await writeFile(path, `\n${lines(rows)}`);
  await expect(rolloutPairs(folder.dir, [path])).rejects.toMatchObject({
    code: "would_drop_tool_calls",
    where: `${path}:4`,
  });
  await expect(rolloutPairs(folder.dir, [path], { completion: "turn", to: "openai" })).rejects.toMatchObject({
    what: expect.stringContaining("rows of openai cannot hold a whole turn"),
    fix: expect.stringMatching(
      /^--to a format that holds them: trl-conversational, nemo-rl-ranked or azure; or --compl/,
    ),
  });
});

test("what lint finds of all rows is told as a warning is told: once", async () => {
  const tasks = Array.from({ length: 40 }, (_, task) => [row(task, 1, "short"), row(task, 0, `not so short ${task}`)]);
  const { warnings, faults } = await pairsOf(lines(tasks.flat()));
  expect(faults).toMatchObject({ length_bias: 1 });
  expect(warnings.filter((warning) => warning.includes("reply tends to be chosen"))).toEqual([
    expect.stringMatching(/^the shorter reply/),
  ]);
});
