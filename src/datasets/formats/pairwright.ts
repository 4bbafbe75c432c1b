import { PreferencePair } from "../../records/pair.ts";
import type { DatasetFormat } from "../../registry/training.ts";
import { isRow } from "./row-fields.ts";

/** Our own `pairs.jsonl`: it holds all there is of a pair, and only pairs whose scores are known. */
export const pairwright: DatasetFormat = {
  holds_provenance: true,

  prompt: ({ prompt }) => prompt,

  row(pair) {
    const parsed = PreferencePair.safeParse(pair);
    return parsed.success ? { row: parsed.data, lost: [] } : { row: null, lost: ["no_scores"] };
  },

  read(row) {
    if (!isRow(row, "pair_id", "prompt", "chosen", "rejected")) return undefined;
    const parsed = PreferencePair.safeParse(row);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    return { problem: `${issue?.path.join(".") || "the row"}: ${issue?.message ?? "is no pair"}` };
  },
};
