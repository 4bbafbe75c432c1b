import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { seededRandom } from "../src/lib/random.ts";
import { PlainReader } from "../src/preferences/rollouts/plain-rollout.ts";
import { nemoGym } from "../src/preferences/rollouts/readers/nemo-gym.ts";
import type { RolloutReader } from "../src/registry/training.ts";
import { rolloutFolder, rolloutPairs } from "./support/rollout-pairs.ts";

const TEXTS = [
  "a plain answer",
  "another one, \\boxed{B}",
  'lines\nand a "quote"\t',
  "é ü — 日本語 😀",
  "😀",
  "\u00a0\u3000",
  "\u3000said after wide space",
  "  \n ",
  "",
  "<think>only a thought",
  "<think>thought</think> said",
  "\ud800 alone",
  "bell \u0007",
  "a/b",
];

/** Rows of NeMo Gym, mostly of one text asked and one said, as several programs write them. */
function rolloutLines(rows: number): string[] {
  const random = seededRandom(11);
  const pick = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)] as T;
  return Array.from({ length: rows }, (_, at) => {
    const task = Math.floor(at / 5) % 60;
    const said = pick(TEXTS) + (random() < 0.5 ? "" : ` v${at}`);
    const asked = [{ role: "user", content: `question ${task} ${TEXTS[task % 5]}`, type: "message" }];
    const message = (text: string) => ({
      type: "message",
      role: "assistant",
      status: "completed",
      content: [{ type: "output_text", text }],
    });
    const call = { type: "function_call", call_id: "c", name: "f", arguments: "{}" };
    const thought = { type: "reasoning", summary: [{ type: "summary_text", text: "hm" }] };
    const row = {
      responses_create_params: {
        input: random() < 0.1 ? asked[0]?.content : asked,
        metadata: random() < 0.1 ? { a: pick(TEXTS) } : null,
      },
      response: {
        id: `resp_${at}`,
        model: pick(["policy", "pölicy"]),
        output: pick([
          [message(said)],
          [message(said)],
          [message(said)],
          [thought, message(said)],
          [call, message(said)],
          [message(said), message("b")],
          [],
        ]),
        status: pick(["completed", "completed", "completed", "incomplete"]),
      },
      reward: pick([0, 0.5, 1, 1, null, 1.5]),
      expected_answer: pick(["A", "A", null]),
      ...(random() < 0.7 ? { _ng_task_index: task } : { task_id: `task ${task} ${pick(["é", "a"])}` }),
      ...(random() < 0.5 && { _ng_rollout_index: at % 5 }),
    };
    const text = JSON.stringify(row);
    const kind = random();
    // As Python writes it: every character beyond ASCII by its code; or with spaces.
    if (kind < 0.2)
      return text.replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
    if (kind < 0.4) return text.replace(/(?<=[}\]"\d]),"/g, ', "').replace(/":(?=[[{\d"])/g, '": ');
    return text;
  });
}

test("plain rollouts give what they give when every row is read as a whole: the same files, figures and reasons", async () => {
  const { plain, ...whole } = { ...nemoGym, plain: nemoGym.plain };
  const lines = rolloutLines(900);
  const results = [];
  for (const reader of [nemoGym, whole] satisfies RolloutReader[]) {
    await using folder = await rolloutFolder();
    const path = join(folder.dir, "in.jsonl");
    await writeFile(path, `${lines.join("\n")}\n`);
    const change = {
      readers: [{ name: "nemo-gym", reader }],
      strategy: "all_pairs",
      validation: join(folder.dir, "val.jsonl"),
    } as const;
    const { output, ...built } = await rolloutPairs(folder.dir, [path], change);
    results.push({
      ...built,
      bytes: await readFile(output, "utf8"),
      manifest: (await readFile(join(folder.dir, "train.manifest.json"), "utf8")).replaceAll(folder.dir, ""),
    });
  }
  expect(results[0]).toEqual(results[1]);
  expect(results[0]?.pairs).toBeGreaterThan(100);
  expect(results[0]?.validation).toBeGreaterThan(10);
  const reader = new PlainReader(nemoGym, plain ?? "all");
  const read = lines.map((line) => reader.read(Buffer.from(line))).filter((rollout) => rollout !== undefined);
  expect(read.length).toBeGreaterThan(200);
  expect(read.length).toBeLessThan(700);
});

test("a rollout that stands against more others than are remembered keeps its text", async () => {
  await using folder = await rolloutFolder();
  const path = join(folder.dir, "in.jsonl");
  const row = (rollout: number) => ({
    responses_create_params: { input: "a question" },
    response: { output: [{ type: "message", role: "assistant", content: [{ text: `said ${rollout}` }] }] },
    reward: rollout === 50 ? 1 : rollout / 1000,
    _ng_task_index: 0,
    _ng_rollout_index: rollout,
  });
  await writeFile(path, Array.from({ length: 100 }, (_, rollout) => `${JSON.stringify(row(rollout))}\n`).join(""));
  const { rows } = await rolloutPairs(folder.dir, [path], { strategy: "all_pairs", max_pairs_per_task: 99 });
  expect(rows.map(({ chosen }) => chosen)).toEqual(Array.from({ length: 99 }, () => "said 50"));
  expect(new Set(rows.map(({ rejected }) => rejected)).size).toBe(99);
});
