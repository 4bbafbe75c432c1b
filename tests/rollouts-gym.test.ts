import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import type { RolloutPairsOptions } from "../src/pipeline/rollouts/build-rollout-pairs.ts";
import type { Message } from "../src/records/message.ts";
import { rolloutFolder, rolloutPairs } from "./support/rollout-pairs.ts";

// NeMo Gym's public example rollouts lie beside a checkout, where there is one; they are no part of it.
const GYM = resolve("../shared/data/gym");

async function pairsOf(name: string, change: Partial<RolloutPairsOptions> & { to?: string } = {}) {
  await using folder = await rolloutFolder();
  return await rolloutPairs(folder.dir, [join(GYM, `${name}.jsonl`)], change);
}

/**
 * What each file gives as it stands, by a reading of all its rows. None gives a pair: the files show one try at each of
 * some tasks, and the two that show several tries hold a trap each.
 */
const READ: Record<string, { why: string; tasks: number; skipped: Record<string, number> }> = {
  mcqa_single_turn: {
    why: "five questions, one answer to each; two of them expect the letter E, which makes them no one task",
    tasks: 5,
    skipped: { single_rollout: 5 },
  },
  newton_bench: {
    why:
      "rows 1 to 3 have one prompt and the rewards 1, 0.9999999999999998 and 0.109, but their difficulty is easy, medium and hard: " +
      "each hides another law (a mass of 1 at distance 1 is drawn with 6.7e-5 in rows 1 and 2 and 2.7e-4 in row 3), so the third answer is " +
      "worse in a world that the others never saw. Rows 4 and 5 have other system prompts",
    tasks: 5,
    skipped: { different_task: 3, single_rollout: 2 },
  },
  anyswe_same_task_group: {
    why: "five tries at one task, rewards 1, 0, 0, 0, 0: pairs, if the rows said what was asked. `input` is empty; the issue's text stands in metadata",
    tasks: 1,
    skipped: { empty_prompt: 5 },
  },
  blackjack_multiturn: {
    why: "five hands under one task: each player was dealt other cards, so none played what another did",
    tasks: 1,
    skipped: { different_prompt: 5 },
  },
  multi_step_tools: { why: "five questions, all rewarded with 1", tasks: 5, skipped: { single_rollout: 5 } },
  single_tool_call: { why: "five questions, all rewarded with 1", tasks: 5, skipped: { single_rollout: 5 } },
  tool_call_multireward: { why: "tasks 0 to 4, one try each, all with 2", tasks: 5, skipped: { single_rollout: 5 } },
  string_input: {
    why: "five questions as texts under the same instructions",
    tasks: 5,
    skipped: { single_rollout: 5 },
  },
  nested_output: {
    why: "five word problems, the third of which ends with a call of submit_answer: it has no final text",
    tasks: 5,
    skipped: { single_rollout: 4, no_final_text: 1 },
  },
};

describe.skipIf(!existsSync(GYM))("NeMo Gym's example files (skipped where ../shared/data/gym is absent)", () => {
  test("all eleven are read here", () => {
    const files = readdirSync(GYM).filter((name) => name.endsWith(".jsonl"));
    expect(files).toHaveLength(11);
    expect(files.map((name) => name.slice(0, -6)).sort()).toEqual(
      [...Object.keys(READ), "malformed", "no_reward"].sort(),
    );
  });

  test.each(Object.entries(READ))("%s", async (name, { tasks, skipped }) => {
    const built = await pairsOf(name);
    expect(built).toMatchObject({ rollouts: 5, tasks, pairs: 0, skipped, bad: 0 });
  });

  test("malformed: five lines that are no JSON; the first is named, or all are passed over", async () => {
    await expect(pairsOf("malformed")).rejects.toMatchObject({
      code: "bad_line",
      where: expect.stringMatching(/malformed\.jsonl:1$/),
    });
    const passed = await pairsOf("malformed", { max_bad: 5 });
    expect(passed).toMatchObject({ rollouts: 0, pairs: 0, bad: 5 });
    expect(passed.bad_lines.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5]);
    await expect(pairsOf("malformed", { max_bad: 4 })).rejects.toMatchObject({
      where: expect.stringMatching(/malformed\.jsonl:5$/),
    });
  });

  test("no_reward: judgments without a prompt and a response, which no reader knows", async () => {
    await expect(pairsOf("no_reward")).rejects.toMatchObject({
      code: "unknown_rollouts",
      what: expect.stringContaining("policy_response"),
    });
    await expect(pairsOf("no_reward", { from: "nemo-gym" })).rejects.toMatchObject({ code: "bad_line" });
  });

  const SWE = { prompt_from: "responses_create_params.metadata.problem_statement" };

  test("anyswe with its prompt named: the final texts are no pair without the calls, unless that is asked for", async () => {
    await expect(pairsOf("anyswe_same_task_group", SWE)).rejects.toMatchObject({ code: "would_drop_tool_calls" });
    const built = await pairsOf("anyswe_same_task_group", { ...SWE, allow_loss: true });
    expect(built).toMatchObject({ pairs: 1, lost_fields: { tool_calls: 1 } });
    const [row] = built.rows;
    expect(row).toMatchObject({ chosen_reward: 1, rejected_reward: 0, reward_gap: 1 });
    expect(row?.prompt).toMatch(/^Modeling's `separability_matrix`/);
    // Row 1 says 1,009 characters at its end; of the four that failed row 2 is nearest with 1,242.
    expect([String(row?.chosen).length, String(row?.rejected).length]).toEqual([1009, 1242]);
  });

  test("anyswe by its first divergent turn: one message a side, the issue as the prompt", async () => {
    const built = await pairsOf("anyswe_same_task_group", {
      ...SWE,
      completion: "divergence",
      to: "trl-conversational",
    });
    expect(built).toMatchObject({ pairs: 1, lost_fields: { scores: 1 } });
    const [{ prompt, chosen, rejected } = {}] = built.rows as unknown as Record<string, Message[]>[];
    expect(prompt).toMatchObject([{ role: "user" }]);
    // All five begin with a text and a call that reads separable.py; row 5 is nearest to row 1 in length.
    const call = [{ function: { name: "Read", arguments: { file_path: "/testbed/astropy/modeling/separable.py" } } }];
    expect(chosen).toMatchObject([{ role: "assistant", tool_calls: call }]);
    expect(rejected).toMatchObject([{ role: "assistant", tool_calls: call }]);
    expect(chosen?.[0]?.content).toMatch(/^Looking at this issue, I need to understand how the separability matrix/);
    expect(rejected?.[0]?.content).toMatch(/^I need to investigate the separability_matrix function/);
  });

  test("anyswe whole turns: calls and results in order, every call answered; all pairs are four", async () => {
    const whole = { ...SWE, completion: "turn" as const, to: "nemo-rl-ranked" };
    const built = await pairsOf("anyswe_same_task_group", { ...whole, strategy: "all_pairs" });
    expect(built.pairs).toBe(4);
    const sides = (built.rows[0]?.completions as { rank: number; completion: Message[]; reward: number }[]) ?? [];
    expect(sides.map(({ rank, reward }) => [rank, reward])).toEqual([
      [0, 1],
      [1, 0],
    ]);
    const [chosen = []] = sides.map(({ completion }) => completion);
    // Row 1: eight messages, of which the first seven call, each with its result after it.
    expect(chosen.map(({ role }) => role)).toEqual([
      ...Array<string[]>(7).fill(["assistant", "tool"]).flat(),
      "assistant",
    ]);
    const asked = chosen.flatMap(({ tool_calls }) => tool_calls?.map(({ id }) => id) ?? []);
    const answered = chosen.flatMap(({ tool_call_id }) => tool_call_id ?? []);
    expect(answered).toEqual(asked);
    await expect(pairsOf("anyswe_same_task_group", { ...whole, to: "nemo-rl-binary" })).rejects.toMatchObject({
      code: "would_drop_tool_calls",
    });
  });

  test("newton joined over tasks, which is asked for: one best of two that tie, over the third", async () => {
    const joined = { join_tasks: true, allow_loss: true };
    const built = await pairsOf("newton_bench", joined);
    expect(built.rows.map(({ chosen_reward, rejected_reward }) => [chosen_reward, rejected_reward])).toEqual([
      // Both best are 1 but for the last bit; the second one's answer, 149 characters, is nearer to the third's 309.
      [0.9999999999999998, 0.10872453727997922],
    ]);
    const all = await pairsOf("newton_bench", { ...joined, strategy: "all_pairs", min_gap: 0 });
    expect(all.rows.map(({ chosen_reward }) => chosen_reward)).toEqual([1, 0.9999999999999998]);
    const system = (all.rows[0]?.prompt as Message[] | undefined)?.[0];
    expect(system).toMatchObject({ role: "system", content: expect.stringMatching(/^\*\*Mission:\*\*/) });
  });

  test("newton's answers part in the world, not in a turn of the model, wherever they did the same first", async () => {
    const built = await pairsOf("newton_bench", {
      join_tasks: true,
      completion: "divergence",
      to: "trl-conversational",
    });
    expect(built).toMatchObject({ pairs: 0, skipped: { diverges_in_environment: 1 } });
  });

  test("mcqa across tasks, which is asked for: three right answers over two wrong ones, and a warning", async () => {
    const built = await pairsOf("mcqa_single_turn", { strategy: "stratified", across_tasks: true });
    expect(built).toMatchObject({ pairs: 6, averages: { reward_gap: 1, chosen_reward: 1, rejected_reward: 0 } });
    expect(built.warnings.join()).toMatch(/which prompt was easy/);
  });

  test("multireward: a sum of the parts is the reward, and nested_output's whole turns are five tasks", async () => {
    const parts = { reward: "0.7*correctness+0.3*format", strategy: "stratified", across_tasks: true } as const;
    // 0.7 for each: high enough to be chosen, and nothing is low.
    expect(await pairsOf("tool_call_multireward", parts)).toMatchObject({ pairs: 0, skipped: { no_low: 1 } });
    expect((await pairsOf("tool_call_multireward", { reward: "missing" })).skipped).toEqual({ unscored: 5 });
    expect((await pairsOf("nested_output", { completion: "turn" })).skipped).toEqual({ single_rollout: 5 });
  });
});
