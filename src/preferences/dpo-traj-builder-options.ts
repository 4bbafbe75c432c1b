import { z } from "zod";
import { DEFAULT_STEP_NAME } from "./dpo-pairs.ts";

/** The options of `dpo_traj_builder`: the seeds' fields and defaults, then ours. */
export const DpoTrajBuilderOptions = z
  .strictObject({
    ttc_step_name: z
      .string()
      .min(1)
      .optional()
      .describe(`name of the intermediate steps that are candidates; ${DEFAULT_STEP_NAME} unless told`),
    custom_step_name: z.string().min(1).optional().describe("another spelling of ttc_step_name"),
    exhaustive_pairs: z.boolean().default(true).describe("every reply with each worse one; false: best with worst"),
    min_score_diff: z
      .number()
      .nonnegative()
      .default(0)
      .describe("least score difference of a pair, compared exactly: 0.3 - 0.2 is just under 0.1"),
    max_pairs_per_turn: z.int().positive().nullable().default(null).describe("keeps the widest score differences"),
    reward_from_score_diff: z.boolean().default(true).describe("false: the reward is the chosen reply's score"),
    require_multiple_candidates: z
      .boolean()
      .default(true)
      .describe(
        "kept for the seeds' files: a turn of one candidate is counted and makes no pair, whatever stands here",
      ),
    pair_mode: z
      .enum(["all", "best_vs_worst", "best_vs_lower"])
      .optional()
      .describe("which replies pair; follows exhaustive_pairs unless told"),
    group_by: z
      .enum(["turn", "prompt"])
      .default("turn")
      .describe("prompt: replies to one prompt pair wherever in the runs they were given"),
    policy_candidates_only: z.boolean().default(false).describe("leaves out candidates that no model sampled"),
    contradictions: z
      .enum(["drop", "keep"])
      .default("drop")
      .describe("what becomes of pairs that prefer A to B here and B to A there, for one prompt"),
  })
  .refine(
    ({ ttc_step_name, custom_step_name }) =>
      ttc_step_name === undefined || custom_step_name === undefined || ttc_step_name === custom_step_name,
    { path: ["custom_step_name"], message: "ttc_step_name and custom_step_name name different steps; keep one" },
  );
export type DpoTrajBuilderOptions = z.output<typeof DpoTrajBuilderOptions>;
