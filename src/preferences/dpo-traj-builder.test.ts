import { expect, test } from "vitest";
import { digestOf } from "../lib/hash.ts";
import { seededRandom } from "../lib/random.ts";
import type { CandidateRecord, TurnRecord } from "../records/candidate.ts";
import { PreferencePair } from "../records/pair.ts";
import type { SkipCounts } from "../registry/training.ts";
import { pairId } from "./content.ts";
import { dpoTrajBuilder } from "./dpo-traj-builder.ts";
import { DpoTrajBuilderOptions } from "./dpo-traj-builder-options.ts";

type Given = [text: string | null, score: number | null, more?: Partial<CandidateRecord>];

function turn(...given: Given[]): TurnRecord {
  return {
    source: { example_id: "e1", example_index: 0, rep: 1, run_index: 2, seed: 5 },
    turn_id: "t1",
    turn_index: 4,
    candidates: given.map(([text, score, more], candidate_index) => ({
      turn_id: "t1",
      turn_index: 4,
      candidate_index,
      prompt: [{ role: "user" as const, content: "?" }],
      completion: text === null ? [] : [{ role: "assistant" as const, content: text }],
      score,
      is_selected: false,
      model: "m",
      ...more,
    })),
  };
}

function build(written: Record<string, unknown>, given: TurnRecord) {
  const skipped: SkipCounts = {};
  const pairs = dpoTrajBuilder(DpoTrajBuilderOptions.parse(written)).pairsOf(given, skipped);
  const names = pairs.map((pair) => `${pair.chosen[0]?.content}>${pair.rejected[0]?.content}`);
  return { pairs, names, skipped };
}

const ABC = turn(["a", 0.9], ["b", 0.7], ["c", 0.5]);

test("defaults and names are those of the seeds", () => {
  expect(DpoTrajBuilderOptions.parse({})).toEqual({
    exhaustive_pairs: true,
    min_score_diff: 0,
    max_pairs_per_turn: null,
    reward_from_score_diff: true,
    require_multiple_candidates: true,
    group_by: "turn",
    policy_candidates_only: false,
    contradictions: "drop",
  });
  const nameOf = (written: object) => dpoTrajBuilder(DpoTrajBuilderOptions.parse(written)).step_name;
  expect(nameOf({})).toBe("dpo_candidate_move");
  expect(nameOf({ ttc_step_name: "x" })).toBe("x");
  expect(nameOf({ custom_step_name: "x" })).toBe("x");
  expect(nameOf({ custom_step_name: "x", ttc_step_name: "x" })).toBe("x");
  expect(DpoTrajBuilderOptions.safeParse({ custom_step_name: "x", ttc_step_name: "y" }).success).toBe(false);
  expect(DpoTrajBuilderOptions.safeParse({ min_score_dif: 1 }).success).toBe(false);
});

test("a pair says what it is made of", () => {
  const { pairs } = build({}, turn(["bad", 0.25, { seed: 1 }], ["good", 0.75, { seed: 2 }]));
  const hashOf = (text: string, role: string) => digestOf(`[{"content":"${text}","role":"${role}"}]`);
  expect(pairs).toEqual([
    {
      pair_id: pairId(hashOf("?", "user"), hashOf("good", "assistant"), hashOf("bad", "assistant")),
      example_id: "e1",
      rep: 1,
      run_index: 2,
      turn_id: "t1",
      turn_index: 4,
      prompt: [{ role: "user", content: "?" }],
      chosen: [{ role: "assistant", content: "good" }],
      rejected: [{ role: "assistant", content: "bad" }],
      chosen_score: 0.75,
      rejected_score: 0.25,
      score_diff: 0.5,
      reward: 0.5,
      chosen_index: 1,
      rejected_index: 0,
      model: "m",
      seed: 5,
      source: "collect",
      metadata: { chosen_seed: 2, rejected_seed: 1 },
    },
  ]);
  expect(PreferencePair.safeParse({ ...pairs[0], split: "training" }).success).toBe(true);
});

test.each([
  ["exhaustive, by default", {}, ["a>b", "a>c", "b>c"]],
  ["best with worst", { exhaustive_pairs: false }, ["a>c"]],
  ["best with each lower", { pair_mode: "best_vs_lower" }, ["a>b", "a>c"]],
  ["pair_mode before exhaustive_pairs", { pair_mode: "all", exhaustive_pairs: false }, ["a>b", "a>c", "b>c"]],
])("pairs are %s", (_, written, expected) => {
  expect(build(written, ABC).names).toEqual(expected);
});

test("each of several best replies pairs with each lower one", () => {
  const tied = turn(["a", 1], ["b", 0], ["c", 1]);
  expect(build({ pair_mode: "best_vs_lower" }, tied)).toMatchObject({
    names: ["a>b", "c>b"],
    skipped: { equal_scores: 1 },
  });
  expect(build({ pair_mode: "best_vs_worst" }, tied).names).toEqual(["a>b"]);
});

test("the reward is the difference, or the chosen reply's score", () => {
  const given = turn(["a", 0.75], ["b", 0.25]);
  expect(build({}, given).pairs[0]?.reward).toBe(0.5);
  expect(build({ reward_from_score_diff: false }, given).pairs[0]?.reward).toBe(0.75);
});

const cut = { finish_reason: "length" };
const seen = (content: string) => ({ prompt: [{ role: "user" as const, content }] });
const answered = {
  prompt: [
    { role: "user" as const, content: "?" },
    { role: "assistant" as const, content: "b" },
  ],
};
test.each<[string, Record<string, unknown>, TurnRecord, SkipCounts]>([
  ["the scores tie", {}, turn(["a", 0.5], ["b", 0.5]), { equal_scores: 1 }],
  ["all scores tie, best with worst", { exhaustive_pairs: false }, turn(["a", 0], ["b", 0]), { equal_scores: 1 }],
  ["all scores tie, best with lower", { pair_mode: "best_vs_lower" }, turn(["a", 0], ["b", 0]), { equal_scores: 1 }],
  [
    "the better is not better by enough",
    { min_score_diff: 0.1 },
    turn(["a", 0.5], ["b", 0.45]),
    { below_min_score_diff: 1 },
  ],
  ["both say the same", {}, turn(["a", 0.9], ["a", 0.1]), { equal_text: 1 }],
  ["only one is scored", {}, turn(["a", 0.5], ["b", null]), { unscored: 1 }],
  ["a score is NaN", {}, turn(["a", 0.5], ["b", Number.NaN]), { unscored: 1 }],
  ["a score is infinite", {}, turn(["a", Number.POSITIVE_INFINITY], ["b", 1]), { unscored: 1 }],
  ["scores are too far apart", {}, turn(["a", 1e308], ["b", -1e308]), { infinite_score_diff: 1 }],
  ["a call failed", {}, turn(["a", 0.5], [null, -1]), { empty: 1 }],
  ["a reply is blank", {}, turn(["a", 0.5], [" \n", -1]), { empty: 1 }],
  ["the better was cut off", {}, turn(["a", 1, cut], ["b", 0]), { truncated_chosen: 1 }],
  ["prompts differ", {}, turn(["a", 1], ["b", 0, seen("other")]), { different_prompt: 2 }],
  ["tools differ", {}, turn(["a", 1], ["b", 0, { tools: [] }]), { different_prompt: 2 }],
  ["there is one candidate", {}, turn(["a", 1]), { single_candidate: 1 }],
  [
    "there is one, and that is allowed",
    { require_multiple_candidates: false },
    turn(["a", 1]),
    { single_candidate: 1 },
  ],
  ["code made one", { policy_candidates_only: true }, turn(["a", 1], ["b", 0, { model: null }]), { not_policy: 1 }],
  ["the prompt ends with the reply", {}, turn(["a", 0, answered], ["b", 1, answered]), { answer_in_prompt: 1 }],
])("there is no pair when %s, and it is counted", (_, written, given, skipped) => {
  const result = build(written, given);
  expect(result.names).toEqual([]);
  expect(result.skipped).toEqual(skipped);
});

test("the margin is compared exactly, and a margin that is just met counts", () => {
  expect(build({ min_score_diff: 0.25 }, turn(["a", 0.5], ["b", 0.25])).names).toEqual(["a>b"]);
  expect(build({ min_score_diff: 0.1 }, turn(["a", 0.3], ["b", 0.2])).names).toEqual([]);
});

test("a reply that was cut off may be rejected, and best-with-worst passes it over as best", () => {
  expect(build({}, turn(["a", 1], ["b", 0, cut])).pairs[0]?.metadata).toEqual({ rejected_truncated: true });
  const given = turn(["a", 1, cut], ["b", 0.5], ["c", 0]);
  expect(build({ exhaustive_pairs: false }, given)).toMatchObject({ names: ["b>c"], skipped: { truncated_chosen: 1 } });
  const worst = turn(["a", 1, cut], ["b", 0]);
  expect(build({ exhaustive_pairs: false }, worst)).toMatchObject({ names: [], skipped: { truncated_chosen: 1 } });
});

test("a retry pairs with replies to its own prompt only", () => {
  const given = turn(["a", 1], ["b", 0], ["c", 1, seen("again")], ["d", 0, seen("again")], ["e", 9, seen("third")]);
  expect(build({}, given)).toMatchObject({ names: ["a>b", "c>d"], skipped: { different_prompt: 1 } });
  expect(build({ exhaustive_pairs: false }, given).names).toEqual(["a>b", "c>d"]);
});

test("a reply that its prompt ends with pairs with nothing, and the others do", () => {
  const given = turn(["a", 0.5, answered], ["b", 1, answered], ["c", 0, answered]);
  expect(build({}, given)).toMatchObject({ names: ["a>c"], skipped: { answer_in_prompt: 1 } });
});

test("an assistant message earlier in the conversation is no leak", () => {
  const prompt = [
    { role: "assistant" as const, content: "a" },
    { role: "user" as const, content: "go on" },
  ];
  expect(build({}, turn(["a", 1, { prompt }], ["b", 0, { prompt }])).names).toEqual(["a>b"]);
});

test("a cap keeps the widest differences, widest first, equal ones in the candidates' order", () => {
  const given = turn(["a", 0.5], ["b", 1], ["c", 0], ["d", 0.5]);
  expect(build({ max_pairs_per_turn: 3 }, given)).toMatchObject({
    names: ["b>c", "a>c", "b>a"],
    skipped: { over_max_pairs_per_turn: 2, equal_scores: 1 },
  });
  expect(build({ max_pairs_per_turn: 99 }, given).skipped).toEqual({ equal_scores: 1 });
});

test("without a cap the order is that of the candidates, chosen first", () => {
  expect(build({}, turn(["a", 0.5], ["b", 1], ["c", 0])).names).toEqual(["a>c", "b>a", "b>c"]);
});

test("the model is named when it made both, else both are in the metadata", () => {
  const mixed = build({}, turn(["a", 1, { model: "x" }], ["b", 0, { model: null }])).pairs[0];
  expect(mixed).toMatchObject({ model: null, metadata: { chosen_model: "x", rejected_model: null } });
  expect(build({ policy_candidates_only: true }, turn(["a", 1], ["b", 0, { model: undefined }])).names).toEqual([
    "a>b",
  ]);
});

test("replies whose tool calls differ only by the calls' ids are equal", () => {
  const call = (id: string): Partial<CandidateRecord> => ({
    completion: [
      {
        role: "assistant",
        content: "",
        tool_calls: [{ id, type: "function", function: { name: "f", arguments: "{}" } }],
      },
    ],
  });
  expect(build({}, turn(["", 1, call("x")], ["", 0, call("y")])).skipped).toEqual({ equal_text: 1 });
});

test("every couple of a turn is a pair or is counted, and no pair breaks a rule, on random turns", () => {
  const random = seededRandom(1);
  let made = 0;
  for (let round = 0; round < 300; round += 1) {
    const min_score_diff = Math.floor(random() * 3) / 4;
    const given = turn(
      ...Array.from({ length: 2 + Math.floor(random() * 5) }, (): Given => {
        const more = { ...(random() < 0.2 ? cut : {}), ...(random() < 0.3 ? seen("other") : {}) };
        return [
          random() < 0.1 ? null : `r${Math.floor(random() * 4)}`,
          random() < 0.1 ? null : Math.floor(random() * 4) / 4,
          more,
        ];
      }),
    );
    const { pairs, skipped } = build({ min_score_diff }, given);
    made += pairs.length;
    for (const pair of pairs) {
      expect(pair.score_diff).toBeGreaterThan(0);
      expect(pair.score_diff).toBeGreaterThanOrEqual(min_score_diff);
      expect(pair.chosen).not.toEqual(pair.rejected);
      const [chosen, rejected] = [pair.chosen_index, pair.rejected_index].map((index) => given.candidates[index]);
      expect(chosen?.prompt).toEqual(rejected?.prompt);
      expect(chosen?.finish_reason).not.toBe("length");
    }
    const fit = given.candidates.filter(({ completion, score }) => completion.length > 0 && score !== null);
    const couples = ["?", "other"]
      .map((prompt) => fit.filter((candidate) => candidate.prompt[0]?.content === prompt).length)
      .reduce((sum, n) => sum + (n * (n - 1)) / 2, 0);
    const { equal_scores = 0, equal_text = 0, below_min_score_diff = 0, truncated_chosen = 0 } = skipped;
    expect(pairs.length + equal_scores + equal_text + below_min_score_diff + truncated_chosen).toBe(couples);
  }
  expect(made).toBeGreaterThan(300);
});

test("a repeated pair does not use up the cap of a turn before another one", () => {
  const repeated = turn(["a", 1], ["b", 0], ["b", 0], ["c", 0.5]);
  expect(build({ max_pairs_per_turn: 3 }, repeated)).toMatchObject({
    names: ["a>b", "a>c", "c>b"],
    skipped: { equal_scores: 1, over_max_pairs_per_turn: 2 },
  });
  expect(build({ max_pairs_per_turn: 4 }, repeated).names).toEqual(["a>b", "a>b", "a>c", "c>b"]);
  expect(build({ max_pairs_per_turn: 1 }, repeated).names).toEqual(["a>b"]);
});

test("tools are part of a pair's id, however their fields are ordered; without tools it is as ever", () => {
  const f = { type: "function" as const, function: { name: "f", description: "d" } };
  const turned = { function: { description: "d", name: "f" }, type: "function" as const };
  const idOf = (more: Partial<CandidateRecord>) => build({}, turn(["a", 1, more], ["b", 0, more])).pairs[0]?.pair_id;
  const prompt = digestOf('[{"content":"?","role":"user"}]');
  const reply = (text: string) => digestOf(`[{"content":"${text}","role":"assistant"}]`);
  expect(idOf({})).toBe(pairId(prompt, reply("a"), reply("b")));
  expect(idOf({ tools: [f] })).not.toBe(idOf({}));
  expect(idOf({ tools: [turned] })).toBe(idOf({ tools: [f] }));
});
