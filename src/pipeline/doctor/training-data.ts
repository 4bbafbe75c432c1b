import { join } from "node:path";
import type { HeldOutRule } from "../../config/schema.ts";
import { exists } from "../../lib/files.ts";
import type { BackendCheck } from "../../registry/training-backend.ts";
import type { Example } from "../../registry/workflow.ts";
import { chooseHeldOut, type HeldOut } from "../finetune/held-out.ts";
import { PAIR_FILES } from "../pairs/draft.ts";
import { describeDropped, droppedMessages } from "../pairs/dropped-messages.ts";
import type { Parts } from "../parts.ts";
import { findRuns } from "../run-folder.ts";
import { ok, unknown, warning } from "./check.ts";

/** Whether the data set can be read, and how many of its examples are kept for measuring. */
export function datasetCheck(parts: Parts, rule: HeldOutRule): BackendCheck {
  return {
    name: "data_set",
    async look(signal) {
      const { total, held } = await readDataset(parts, rule, signal);
      const kept = held.count === 0 ? "none is held out" : `${held.count} are held out for measuring`;
      if (total - held.count < 2) return warning(`${total} examples, and ${kept}: hardly any are left to collect from`);
      return ok(`${total} examples; ${kept}`);
    },
  };
}

/** Reads the data set once. */
export async function readDataset(
  parts: Parts,
  rule: HeldOutRule,
  signal: AbortSignal,
): Promise<{ total: number; held: HeldOut }> {
  let total = 0;
  async function* counted(): AsyncGenerator<Example> {
    for await (const example of parts.examples()) {
      signal.throwIfAborted();
      total += 1;
      yield example;
    }
  }
  const held = await chooseHeldOut(counted(), rule);
  return { total, held };
}

/** The newest file of this name in the run folders of an output folder; undefined where there is none. */
export async function newestOf(output_dir: string, name: string): Promise<string | undefined> {
  for (const { run_id } of await findRuns(output_dir)) {
    const path = join(output_dir, run_id, name);
    if (await exists(path)) return path;
  }
  return undefined;
}

/**
 * Whether rows lose what tells them apart: a text prompt holds the last message only, and where the messages before it
 * differ, the model would be trained on questions that it cannot understand.
 */
export function historyCheck(parts: Parts): BackendCheck {
  return {
    name: "message_history",
    async look(signal) {
      if (parts.pairs.use_full_message_history) return ok("rows hold the whole conversation");
      const path = await newestOf(parts.output_dir, PAIR_FILES.pairs);
      if (path === undefined) {
        return unknown(
          "use_full_message_history is false: rows will hold the last message alone; whether the others matter is known once there are pairs",
        );
      }
      const dropped = await droppedMessages(path, signal);
      const told = describeDropped(dropped, path);
      if (told !== undefined) return warning(told);
      return ok(`the messages that rows do not hold are the same in all ${dropped.pairs} pairs of ${path}`);
    },
  };
}
