import { z } from "zod";
import { Message, Tool } from "./message.ts";

/** One line of `pairs.jsonl`: a preference with its provenance. */
export const PreferencePair = z
  .strictObject({
    /** SHA-256 of prompt, chosen and rejected; equal pairs have equal ids in every run. */
    pair_id: z.string(),
    example_id: z.string(),
    rep: z.int().nonnegative(),
    run_index: z.int().nonnegative(),
    turn_id: z.string(),
    turn_index: z.int().nonnegative(),
    prompt: z.array(Message).min(1),
    tools: z.array(Tool).optional(),
    chosen: z.array(Message).min(1),
    rejected: z.array(Message).min(1),
    chosen_score: z.number(),
    rejected_score: z.number(),
    /** chosen_score - rejected_score, above zero. */
    score_diff: z.number().positive(),
    /** The score difference, or the chosen score when `reward_from_score_diff` is false. */
    reward: z.number(),
    chosen_index: z.int().nonnegative(),
    rejected_index: z.int().nonnegative(),
    /** The model that sampled both; null when unknown, or when the two came from different ones (see metadata). */
    model: z.string().nullable(),
    seed: z.int(),
    split: z.enum(["training", "validation"]),
    /** What the pair was made from: `collect` for our own runs, else the reader's name. */
    source: z.string(),
    metadata: z.record(z.string(), z.unknown()),
  })
  .refine((pair) => pair.chosen_score > pair.rejected_score, { message: "chosen_score must be above rejected_score" });
export type PreferencePair = z.infer<typeof PreferencePair>;

/** A pair before the split is decided. */
export type UnsplitPair = Omit<PreferencePair, "split">;
