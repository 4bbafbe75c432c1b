import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BUILTIN_FORMATS } from "../../datasets/formats/builtin-formats.ts";
import { convertPairs, linesOfRows } from "./convert-pairs.ts";
import { lintPairFiles } from "./lint-files.ts";

const formats = Object.entries(BUILTIN_FORMATS).map(([name, { format }]) => ({ name, format }));
const call = {
  role: "assistant",
  content: "",
  tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }],
};
const user = { role: "user", content: "ask" };
const said = (content: string) => [{ role: "assistant", content }];

async function convert(
  rows: readonly unknown[] | string,
  to: string,
  change: { from?: string; allow_loss?: boolean; name?: string } = {},
) {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-convert-"));
  try {
    const input = join(dir, change.name ?? "in.jsonl");
    const output = join(dir, "out.jsonl");
    await writeFile(input, typeof rows === "string" ? rows : rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const target = formats.find(({ name }) => name === to)!;
    const { from, allow_loss = false } = change;
    const converted = await convertPairs({ input, output, from, to: target, formats, allow_loss });
    const text = await readFile(output, "utf8");
    const written = text.split("\n").filter((line) => line !== "");
    return {
      ...converted,
      out: written.map((line) => JSON.parse(line) as Record<string, unknown>),
      lint: await lintPairFiles([output]),
    };
  } finally {
    await rm(dir, { recursive: true });
  }
}

const SEEDS_ROW = {
  prompt: "ask",
  chosen: "a",
  rejected: "b",
  chosen_reward: 1,
  rejected_reward: 0.5,
  reward_gap: 0.5,
};

test("every format becomes every other; what is lost of the scores is counted", async () => {
  let conversions = 0;
  for (const { name: from } of formats) {
    const first = await convert([SEEDS_ROW], from);
    expect(first).toMatchObject({ rows: 1, written: 1, from: "nemo-rl-binary" });
    const holds = !BUILTIN_FORMATS[from]!.format.never_holds?.includes("scores");
    expect(first.lost_fields).toEqual(holds ? {} : { scores: 1 });
    for (const { name: to } of formats) {
      const { written, unwritable, lint } = await convert(first.out, to, { from });
      const isUnscored = to === "pairwright" && !holds;
      expect([from, to, written, unwritable]).toEqual([
        from,
        to,
        isUnscored ? 0 : 1,
        isUnscored ? { no_scores: 1 } : {},
      ]);
      expect(lint).toMatchObject({ rows: written, faults: {}, has_errors: false });
      conversions += 1;
    }
  }
  expect(conversions).toBe(100);
});

test("a call of a tool is not dropped unasked, and no half file is left; asked for, what is said beside it stays", async () => {
  const rows = [SEEDS_ROW, { prompt: [user], chosen: said("a"), rejected: said("b") }].map((row) => row);
  await expect(convert(rows, "trl", { from: "trl-conversational" })).rejects.toMatchObject({
    code: "bad_line",
    where: expect.stringMatching(/:1$/),
  });
  const agent = { prompt: [user], chosen: [{ ...call, content: "let me see" }], rejected: said("b"), tools: "[]" };
  await expect(convert([agent], "together")).rejects.toMatchObject({
    code: "would_drop_tool_calls",
    where: expect.stringMatching(/in\.jsonl:1$/),
  });
  const dropped = await convert([agent, { ...agent, chosen: [call] }], "together", { allow_loss: true });
  expect(dropped).toMatchObject({ rows: 2, written: 1, lost_fields: { tool_calls: 1 }, unwritable: { tool_calls: 1 } });
  expect(dropped.out[0]).toMatchObject({ preferred_output: said("let me see") });
});

test("a table of comma-separated values is read, its messages and scores too", async () => {
  const text = `\uFEFFprompt,chosen,rejected,chosen_reward,rejected_reward\n"say ""hi""\nplease",hi,no,1,0.5\n"[{""role"":""user"",""content"":""x""}]",a,b,,\n`;
  const { out, from } = await convert(text, "nemo-rl-binary", { name: "in.csv" });
  expect(from).toBe("nemo-rl-binary");
  expect(out).toEqual([
    {
      prompt: 'say "hi"\nplease',
      chosen: "hi",
      rejected: "no",
      chosen_reward: 1,
      rejected_reward: 0.5,
      reward_gap: 0.5,
    },
    { prompt: "x", chosen: "a", rejected: "b" },
  ]);
});

test("what cannot be read is said: parquet, unknown rows, unknown names, a row of another kind", async () => {
  await expect(convert("PAR1", "trl", { name: "in.parquet" })).rejects.toMatchObject({ code: "no_parquet" });
  await expect(convert([{ a: 1 }], "trl")).rejects.toMatchObject({ code: "unknown_row_format" });
  await expect(convert([SEEDS_ROW], "trl", { from: "none" })).rejects.toMatchObject({ code: "unknown_format" });
  await expect(convert([SEEDS_ROW, { prompt: "x" }], "trl")).rejects.toMatchObject({
    where: expect.stringMatching(/:2$/),
  });
});

test("the lines that written rows were made of are found again, whatever was left out before them", async () => {
  const path = join(await mkdtemp(join(tmpdir(), "pairwright-convert-")), "in.jsonl");
  const row = (split: string, chosen: object[]) => ({ prompt: [user], chosen, rejected: said("no"), split });
  const several = [...said("a"), user, ...said("b")];
  const rows = [
    row("training", several),
    row("validation", said("a")),
    row("training", said("b")),
    row("training", said("c")),
  ];
  await writeFile(path, `\n${rows.map((one) => `${JSON.stringify(one)}\n`).join("")}`);
  const to = formats.find(({ name }) => name === "trl")!;
  const options = { input: path, to, formats, from: "trl-conversational", allow_loss: false };
  expect(await linesOfRows(options, [1, 3, 2])).toEqual([3, 5, 4]);
  let seen = 0;
  const only = () => ++seen !== 3;
  expect(await linesOfRows({ ...options, only }, [2])).toEqual([5]);
});

test("lint looks at rows of every format", async () => {
  const twice = [
    SEEDS_ROW,
    SEEDS_ROW,
    { ...SEEDS_ROW, chosen: "b", rejected: "a" },
    { ...SEEDS_ROW, prompt: "q", rejected: "a" },
  ];
  for (const { name } of formats) {
    const { lint } = await convert(twice, name);
    expect([name, lint.rows, lint.faults]).toEqual([name, 4, { duplicate: 1, contradiction: 1, equal_text: 1 }]);
  }
});

test("an output that cannot be a file is refused by its name, before anything is read", async () => {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-convert-"));
  const to = formats.find(({ name }) => name === "openai")!;
  const input = join(dir, "in.jsonl");
  await writeFile(input, "{}\n");
  for (const output of [dir, join(input, "out.jsonl")]) {
    const converted = convertPairs({ input, output, to, formats, allow_loss: false });
    await expect(converted, output).rejects.toMatchObject({ code: "output_not_writable", where: output, exit_code: 2 });
  }
  await rm(dir, { recursive: true });
});
