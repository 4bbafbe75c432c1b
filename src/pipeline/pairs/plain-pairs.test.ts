import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { nemoCustomizer } from "../../datasets/formats/nemo-customizer.ts";
import { pairwright } from "../../datasets/formats/pairwright.ts";
import { collectGarbage } from "../../lib/__fixtures__/collect-garbage.ts";
import { hashFraction } from "../../lib/hash.ts";
import { turnsOf } from "../../preferences/candidates.ts";
import { dpoTrajBuilder } from "../../preferences/dpo-traj-builder.ts";
import { DpoTrajBuilderOptions } from "../../preferences/dpo-traj-builder-options.ts";
import type { RunRecord } from "../../records/run.ts";
import { storedRun } from "./__fixtures__/stored-runs.ts";
import { type BatchOptions, PairBatcher } from "./batch.ts";
import { turnReader } from "./source.ts";

type Draw = <T>(...from: readonly T[]) => T;

/** The same choices each time. */
function drawer(seed: number): Draw {
  let drawn = 0;
  return <T>(...from: readonly T[]) => {
    drawn += 1;
    return from[Math.floor(hashFraction("plain turns", seed, drawn) * from.length)] as T;
  };
}

const LONG = "a long text that may stand here once more, é, and one more time ".repeat(12);
const USUAL = ["a", "A b", 'say "no"\\', "line\nend\t", "é ß", "日本\u2028", "😀", "</x>", LONG, `${LONG}!`, " "];
const TEXTS = [...USUAL, "", "\u0000\u007f", "\ud800 alone", "\u00a0"];
const asked = (draw: Draw) => {
  const one = () => (draw(...Array(20).keys()) === 0 ? draw(...TEXTS) : draw(...USUAL));
  const text = one();
  const user = { role: "user", content: text };
  if (draw(...Array(10).keys()) > 0) {
    const system = { role: "system", content: one() };
    return draw<unknown>(text, [user], [system, user], [user, { role: "assistant", content: one() }]);
  }
  return draw<unknown>(
    user,
    [{ ...user, name: "n" }],
    [{ content: [{ type: "text", text }], role: "user" }],
    [user, { role: "tool", content: text, tool_call_id: "c" }],
    [{ content: text, role: "developer" }],
    7,
  );
};
const said = (draw: Draw) => {
  const text = draw(...TEXTS);
  const call = { id: "c", type: "function", function: { name: "f", arguments: "{}" } };
  return draw<unknown>(
    [{ role: "assistant", content: text }],
    { role: "assistant", content: text, reasoning: "why" },
    { role: "assistant", content: null, tool_calls: [call] },
    [
      { role: "assistant", content: text },
      { role: "assistant", content: "b" },
    ],
    [{ role: "assistant", content: [{ type: "image" }] }],
  );
};

/** A step whose odd fields are rare enough that whole runs are plain, and often enough that each of them comes. */
function step(draw: Draw, turn: number, candidate: number, input: unknown) {
  const rarely = <T>(usual: T, ...odd: readonly T[]) => (draw(...Array(160).keys()) === 0 ? draw(...odd) : usual);
  const data = Object.entries({
    turn_id: rarely<unknown>(`t"${turn}`, turn, undefined, "", 't"0'),
    turn_index: rarely<unknown>(turn, undefined, 1.5, 0, turn + 10),
    candidate_index: rarely<unknown>(candidate, 0, candidate + 20),
    input: rarely(input, asked(draw)),
    output: draw(...Array(9).keys()) === 0 ? null : rarely<unknown>(draw(...USUAL), said(draw), ...TEXTS),
    score: rarely<unknown>(draw(0, 0.1, 0.30000000000000004, 12, -1, null), "x", 1e21, 1e-7, 1.7e308, -1.7e308),
    model: rarely<unknown>(draw("m", null), 'other "split":"', 3, undefined),
    finish_reason: draw("stop", "stop", "stop", "length"),
    tools: rarely<unknown>(undefined, [{ type: "function", function: { name: "f" } }], []),
    extra: rarely<unknown>(draw(true, false), { split: "validation" }, [1, "two"]),
  });
  const metadata = {
    model: "in metadata",
    score: 5,
    seed: rarely<unknown>(draw(candidate * 7, -3), undefined, 1.5, 2 ** 60),
    is_selected: candidate === 0,
  };
  return {
    payload: {
      event_type: rarely("TTC_END", "CUSTOM_END", "TTC_START"),
      name: rarely("dpo_candidate_move", "another"),
      data: Object.fromEntries(draw(true, false) ? data : data.reverse()),
      metadata: rarely<unknown>(metadata, null, undefined),
      usage_info: rarely<unknown>({ token_usage: { total_tokens: candidate + 3 } }, undefined, {
        token_usage: { total_tokens: -1.5 },
      }),
    },
  };
}

function lineOf(seed: number): Buffer {
  const draw = drawer(seed);
  const steps = [0, 1, 2].flatMap((turn) => {
    const input = asked(draw);
    return Array.from({ length: draw(1, 2, 3, 4) }, (_, candidate) => step(draw, turn, candidate, input));
  });
  const { usage, steps: _, ...run } = storedRun(seed % 9, []);
  const some = draw(...Array(30).keys());
  const whole = { ...run, ...(some !== 0 && { usage }), steps, ...(some === 1 && { late: "after the steps" }) };
  const line = JSON.stringify(draw(true, false) ? { group: `g${seed % 3}`, ...whole } : whole);
  if (some !== 2) return Buffer.from(line);
  // As others write it: escapes by code, numbers in other forms, spaces, what is no UTF-8.
  const odd = line.replaceAll("é", "\\u00e9").replaceAll('"score":12', '"score":1.2E1').replaceAll(',"', ', "');
  const bytes = Buffer.from(odd);
  for (let at = bytes.indexOf("ß"); draw(true, false) && at !== -1; at = bytes.indexOf("ß")) bytes[at] = 0xff;
  return bytes;
}
const lines = Array.from({ length: 700 }, (_, seed) => lineOf(seed));

const OPTIONS: Omit<BatchOptions, "builder"> = {
  format: nemoCustomizer,
  use_full_message_history: false,
  training_type: "dpo",
  split: { validation: 0.4, by: "auto" },
  max_pairs: null,
  seed: 0,
};
interface Case {
  options?: Partial<BatchOptions>;
  builder?: Record<string, unknown>;
}

/** All that comes of the lines, and how many were plain; or of the records of all of them. A few lines are one batch. */
function batchesOf({ options, builder }: Case, asRecords: boolean) {
  const trajectories = dpoTrajBuilder(DpoTrajBuilderOptions.parse(builder ?? {}));
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8").split("\n");
  let plain = 0;
  let size = 0;
  const made = [];
  for (let from = 0; from < lines.length; from += 50) {
    const batcher = new PairBatcher({ ...OPTIONS, ...options, builder: trajectories });
    const read = turnReader();
    for (const line of lines.slice(from, from + 50)) {
      if (!asRecords && batcher.addPlain(line)) plain += 1;
      else batcher.addRun(read(line) as RunRecord);
    }
    const { pairs, training, validation, facts, ...rest } = batcher.batch();
    const written = { pairs: text(pairs), training: text(training), validation: text(validation) };
    made.push({ ...written, facts: facts.join(), ...rest });
    size += rest.size;
  }
  return { plain, size, made };
}

test.each<Case>([
  {},
  { options: { use_full_message_history: true, split: { validation: 0.5, by: "prompt" } } },
  { options: { max_pairs: 10, seed: 3, split: { validation: 0.5, by: "group" } } },
  { builder: { reward_from_score_diff: false, min_score_diff: 0.2, policy_candidates_only: true } },
])("plain runs give the bytes, keys and counts that their records give: %j", (change) => {
  const { plain, size, made } = batchesOf(change, false);
  expect(made).toEqual(batchesOf(change, true).made);
  expect(plain).toBeGreaterThan(250);
  expect(lines.length - plain).toBeGreaterThan(250);
  expect(size).toBeGreaterThan(800);
  const reasons = made.flatMap(({ found }) => Object.keys(found.skipped));
  expect(new Set(reasons).size).toBeGreaterThan(9);
});

test.each<Case>([
  { builder: { pair_mode: "best_vs_worst" } },
  { builder: { exhaustive_pairs: false } },
  { builder: { max_pairs_per_turn: 1 } },
  { options: { training_type: "sft" } },
  { options: { format: pairwright } },
])("no run is plain where other pairs or rows are asked for: %j", (change) => {
  expect(batchesOf(change, false).plain).toBe(0);
});

test("steps in ever other forms beside the candidates leave a run plain", () => {
  const batcher = new PairBatcher({ ...OPTIONS, builder: dpoTrajBuilder(DpoTrajBuilderOptions.parse({})) });
  const { steps, ...run } = storedRun(0, [["p", { good: 1, bad: 0 }]]);
  for (let place = 0; place < 100; place += 1) {
    const other = { payload: { event_type: "FUNCTION_END", name: "f", data: { output: Array(place).fill(0) } } };
    const line = JSON.stringify({ ...run, steps: [other, ...steps, other] });
    expect(batcher.addPlain(Buffer.from(line))).toBe(true);
  }
  expect(batcher.batch().size).toBe(100);
});

/** What a run comes to as it was written, each text of its line replaced by another one; and as its record. */
function bothOf(replaced: [string, string][], run = storedRun(0, [["p", { good: 1, bad: 0 }]])) {
  let line = JSON.stringify(run);
  for (const [written, other] of replaced) {
    expect(line).toContain(written);
    line = line.replaceAll(written, other);
  }
  const made = [false, true].map((asRecord) => {
    const batcher = new PairBatcher({ ...OPTIONS, builder: dpoTrajBuilder(DpoTrajBuilderOptions.parse({})) });
    const bytes = Buffer.from(line);
    const isPlain = !asRecord && batcher.addPlain(bytes);
    if (!isPlain) batcher.addRun(turnReader()(bytes) as RunRecord);
    const { found, pairs, facts } = batcher.batch();
    return { isPlain, found, pairs: Buffer.from(pairs).toString("utf8"), facts: facts.join() };
  });
  const [{ isPlain, ...plain }, { isPlain: _, ...record }] = made as [(typeof made)[0], (typeof made)[0]];
  expect(plain).toEqual(record);
  return { isPlain, ...plain };
}

test("of a name that comes twice in an object the last one counts, also where it holds less", () => {
  const usage = '"usage_info":{"token_usage":{"total_tokens":7}}';
  const added = (more: string) => bothOf([['"data":{', `${more},"data":{`]]);
  expect(added(usage)).toMatchObject({ isPlain: true, found: { candidate_tokens: 14 } });
  for (const less of ["null", "{}", '{"token_usage":{}}']) {
    expect(added(`${usage},"usage_info":${less}`)).toMatchObject({ isPlain: true, found: { candidate_tokens: 0 } });
  }
});

test("a reply that was cut off is not chosen, however the reason is written", () => {
  for (const written of ["length", "l\\u0065ngth", "\\u006cength"]) {
    const { found, pairs } = bothOf([['"data":{', `"data":{"finish_reason":"${written}",`]]);
    expect(found.skipped).toEqual({ truncated_chosen: 1 });
    expect(pairs).toBe("");
  }
});

/** The least of some looks: memory of buffers that nobody holds any more is given back a little later. */
async function living(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 4; look += 1) {
    collectGarbage();
    await wait(5);
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    least = Math.min(least, heapUsed + arrayBuffers);
  }
  return least;
}

test("steps in ever other forms are not kept, nor are the texts of those whose form is", async () => {
  const batcher = new PairBatcher({ ...OPTIONS, builder: dpoTrajBuilder(DpoTrajBuilderOptions.parse({})) });
  const { steps, ...run } = storedRun(0, [["p", { good: 1, bad: 0 }]]);
  const text = "x".repeat(1 << 17);
  const add = (place: number) => {
    const other = { payload: { name: "f", data: { output: Array(place).fill(0), text } } };
    expect(batcher.addPlain(Buffer.from(JSON.stringify({ ...run, steps: [other, ...steps] })))).toBe(true);
  };
  add(0);
  const before = await living();
  for (let place = 1; place < 70; place += 1) add(place);
  const after = await living();
  expect(after - before).toBeLessThan(3 << 20);
  for (let place = 70; place < 130; place += 1) add(place * 20);
  expect((await living()) - after).toBeLessThan(3 << 20);
});

test("a run of very many turns is left to its record, since each turn is compared with all others", () => {
  const runOf = (turns: number) =>
    storedRun(
      0,
      Array.from({ length: turns }, (_, turn) => [`p${turn}`, { good: 1 }]),
    );
  expect(bothOf([], runOf(1000))).toMatchObject({ isPlain: true, found: { turns: 1000 } });
  expect(bothOf([], runOf(1001))).toMatchObject({ isPlain: false, found: { turns: 1001 } });
});

test("after many runs that are not plain, no more are tried", () => {
  const batcher = new PairBatcher({ ...OPTIONS, builder: dpoTrajBuilder(DpoTrajBuilderOptions.parse({})) });
  const line = Buffer.from(JSON.stringify(storedRun(0, [["p", { good: 1, bad: 0 }]])));
  expect(batcher.addPlain(line)).toBe(true);
  for (let place = 0; place < 100; place += 1) expect(batcher.addPlain(Buffer.from("{}"))).toBe(false);
  expect(batcher.addPlain(line)).toBe(false);
});

test("the turns of a plain run are counted as those of its record", () => {
  const batcher = new PairBatcher({ ...OPTIONS, builder: dpoTrajBuilder(DpoTrajBuilderOptions.parse({})) });
  const line = Buffer.from(
    JSON.stringify(
      storedRun(0, [
        ["p", { one: 1, two: 1 }],
        ["q", { alone: 2 }],
        ["r", { a: 1, b: null }],
      ]),
    ),
  );
  const turns = turnsOf(turnReader()(line) as RunRecord, "dpo_candidate_move");
  expect(batcher.addPlain(line)).toBe(true);
  expect(turns.map(({ candidates }) => candidates.length)).toEqual([2, 1, 2]);
  expect(batcher.found).toEqual({
    ...{ runs: 1, turns: 3, candidates: 5, off_policy_candidates: 0, turns_without_signal: 1 },
    ...{ run_tokens: 500, candidate_tokens: 0 },
    skipped: { equal_scores: 1, single_candidate: 1, unscored: 1 },
  });
});
