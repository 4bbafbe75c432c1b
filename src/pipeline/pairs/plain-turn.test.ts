import { expect, test } from "vitest";
import { nemoCustomizer } from "../../datasets/formats/nemo-customizer.ts";
import { SideFinder } from "../../datasets/split.ts";
import { hashFraction } from "../../lib/hash.ts";
import { turnsOf } from "../../preferences/candidates.ts";
import { DpoTrajBuilderOptions, dpoTrajBuilder } from "../../preferences/dpo-traj-builder.ts";
import type { RunRecord } from "../../records/run.ts";
import type { TrajectoryBuilder } from "../../registry/training.ts";
import { storedRun } from "./__fixtures__/stored-runs.ts";
import { type BatchOptions, PairBatcher } from "./batch.ts";
import { PlainTurns } from "./plain-turn.ts";
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

const TEXTS = [
  "a",
  "A b",
  'say "no"\\',
  "line\nend\t\u0000\u007f",
  "é ß",
  "日本\u2028",
  "😀",
  "\ud800 alone",
  "</x>",
  " ",
  "",
];
const asked = (draw: Draw) => {
  const text = draw(...TEXTS);
  const user = { role: "user", content: text };
  const plain = draw<unknown>(text, [user], [user], [{ role: "system", content: draw(...TEXTS) }, user], user);
  return draw<unknown>(
    plain,
    plain,
    plain,
    [{ ...user, name: "n" }],
    [{ content: [{ type: "text", text }], role: "user" }],
    [user, { role: "assistant", content: draw(...TEXTS) }],
    [user, { role: "tool", content: text, tool_call_id: "c" }],
    7,
  );
};
const said = (draw: Draw) => {
  const text = draw(...TEXTS);
  const call = { id: "c", type: "function", function: { name: "f", arguments: "{}" } };
  return draw<unknown>(
    ...[text, text, [{ role: "assistant", content: text }]],
    null,
    { role: "assistant", content: text, reasoning: "why" },
    { role: "assistant", content: null, tool_calls: [call] },
    [
      { role: "assistant", content: text },
      { role: "assistant", content: "b" },
    ],
    [{ role: "assistant", content: [{ type: "image" }] }],
  );
};

/** A step whose odd fields are rare enough that whole turns are plain, and often enough that each of them comes. */
function step(draw: Draw, turn: number, candidate: number, input: unknown) {
  const rarely = <T>(usual: T, ...odd: readonly T[]) => (draw(...Array(24).keys()) === 0 ? draw(...odd) : usual);
  const data = Object.entries({
    turn_id: rarely<unknown>(`t"${turn}`, turn, undefined),
    turn_index: rarely<unknown>(turn, undefined, 1.5),
    candidate_index: rarely<unknown>(candidate, 0),
    input: rarely(input, asked(draw)),
    output: rarely<unknown>(draw(...TEXTS), said(draw)),
    score: rarely<unknown>(draw(0, 0.1, 0.30000000000000004, 12, -1), null, "x", 1e21, 1e-7, 1.7e308, -1.7e308),
    model: rarely<unknown>("m", "m", null, 'other "split":"', undefined),
    finish_reason: rarely<unknown>("stop", "length"),
    tools: rarely<unknown>(undefined, [{ type: "function", function: { name: "f" } }], []),
    extra: rarely<unknown>(undefined, { split: "validation" }),
  });
  const metadata = { seed: rarely<unknown>(candidate * 7, undefined, 1.5, -0, -3), is_selected: candidate === 0 };
  return {
    payload: {
      event_type: "TTC_END",
      name: "dpo_candidate_move",
      data: Object.fromEntries(draw(true, false) ? data : data.reverse()),
      metadata,
    },
  };
}

function lineOf(seed: number): Buffer {
  const draw = drawer(seed);
  const steps = [0, 1, 2].flatMap((turn) => {
    const input = asked(draw);
    return Array.from({ length: draw(1, 2, 3, 4) }, (_, candidate) => step(draw, turn, candidate, input));
  });
  const run = { ...storedRun(seed % 9, []), steps, ...(draw(true, false) && { group: "g" }) };
  const line = JSON.stringify(run);
  // As others write it: escapes by code, numbers in other forms, spaces.
  const odd = line.replaceAll("é", "\\u00e9").replaceAll('"score":12', '"score":1.2E1').replaceAll(',"', ', "');
  return Buffer.from(draw(line, odd));
}

/** All that comes of the runs, with the turns written as plain ones where they are, or as pairs each. */
function batchOf(lines: readonly Buffer[], options: Omit<BatchOptions, "builder">, builder: TrajectoryBuilder) {
  const batcher = new PairBatcher({ ...options, builder });
  const read = turnReader();
  for (const line of lines) batcher.addRun(read(line) as RunRecord);
  const { pairs, training, validation, facts, ...rest } = batcher.batch();
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");
  return { pairs: text(pairs), training: text(training), validation: text(validation), facts: facts.join(), ...rest };
}

/** The same builder as another object: then each pair is made as a record. */
function recordsOnly(builder: TrajectoryBuilder): TrajectoryBuilder {
  const { step_name, group_by, contradictions } = builder;
  return { step_name, group_by, contradictions, pairsOf: (turn, skipped) => builder.pairsOf(turn, skipped) };
}

const OPTIONS: Omit<BatchOptions, "builder"> = {
  format: nemoCustomizer,
  use_full_message_history: false,
  training_type: "dpo",
  split: { validation: 0.4, by: "auto" },
  max_pairs: null,
  seed: 0,
};
const CASES: { options?: Partial<BatchOptions>; builder?: Record<string, unknown> }[] = [
  {},
  { options: { use_full_message_history: true, split: { validation: 0.5, by: "prompt" } } },
  { options: { max_pairs: 10, seed: 3, split: { validation: 0.5, by: "group" } } },
  { builder: { reward_from_score_diff: false, min_score_diff: 0.2, policy_candidates_only: true } },
];
const lines = Array.from({ length: 400 }, (_, seed) => lineOf(seed));

test.each(CASES)(
  "turns written as plain ones give the bytes, keys and counts of pairs made one by one: %j",
  (change) => {
    const options = { ...OPTIONS, ...change.options };
    const builder = dpoTrajBuilder(DpoTrajBuilderOptions.parse(change.builder ?? {}));
    const made = batchOf(lines, options, builder);
    expect(made).toEqual(batchOf(lines, options, recordsOnly(builder)));
    expect(made.size).toBeGreaterThan(600);
    expect(Object.keys(made.found.skipped).length).toBeGreaterThan(9);
  },
);

const plainTurns = () =>
  PlainTurns.for({ ...OPTIONS, builder: dpoTrajBuilder(DpoTrajBuilderOptions.parse({})) }, sides());
const sides = () => new SideFinder(OPTIONS.split);

test("of these turns many are plain, and many are not", () => {
  const plain = plainTurns();
  const read = turnReader();
  const turns = lines.flatMap((line) => turnsOf(read(line) as RunRecord, "dpo_candidate_move"));
  const written = turns.filter((turn) => plain?.add(turn, {}, () => undefined));
  expect(written.length).toBeGreaterThan(200);
  expect(turns.length - written.length).toBeGreaterThan(200);
});

test("a turn as collect records it is plain, with replies that are empty or equal", () => {
  const replies = [
    { output: "a", score: 1 },
    { output: "b", score: 0.5 },
    { output: null, score: null },
    { output: "b", score: 0.25 },
  ];
  const input = [
    { role: "system", content: "play" },
    { role: "user", content: "board" },
  ];
  const steps = replies.map((said, candidate_index) => ({
    payload: {
      event_type: "TTC_END",
      name: "dpo_candidate_move",
      data: { turn_id: "turn_0_1", turn_index: 0, candidate_index, input, ...said },
      metadata: { is_selected: candidate_index === 0, seed: candidate_index, model: "m", finish_reason: "stop" },
    },
  }));
  const run = turnReader()(Buffer.from(JSON.stringify({ ...storedRun(0, []), steps })));
  const skipped = {};
  const pairs: string[] = [];
  for (const turn of turnsOf(run as RunRecord, "dpo_candidate_move")) {
    expect(plainTurns()?.add(turn, skipped, ({ lost, row }) => pairs.push(`${lost} ${row}`))).toBe(true);
  }
  expect(skipped).toEqual({ empty: 1, equal_text: 1 });
  expect(pairs).toEqual([
    'history {"prompt":"board","chosen_response":"a","rejected_response":"b"}\n',
    'history {"prompt":"board","chosen_response":"a","rejected_response":"b"}\n',
  ]);
});
