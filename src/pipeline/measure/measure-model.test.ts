import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLogger } from "../../lib/log.ts";
import type { Parts } from "../parts.ts";
import { type MeasureOptions, measureModel } from "./measure-model.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-measure-"));
});
afterEach(() => rm(dir, { recursive: true }));

const { signal } = new AbortController();
let asked = 0;

/** A workflow that answers with the model's name, judged by its length. */
function partsOf(model_name: string, more: Record<string, unknown> = {}): Parts {
  return {
    workflow: {
      name: "w",
      async run() {
        asked += 1;
        return model_name;
      },
    },
    async *examples() {
      for (const index of [0, 1]) yield { id: `e${index}`, index, input: "q", row: {} };
    },
    inputs: async () => ({ dataset: "d" }),
    evaluators: { length: { evaluate: ({ output }) => ({ score: String(output).length }) } },
    shape: {},
    pairs: { split: {} } as Parts["pairs"],
    ...{ max_concurrency: 1, output_dir: dir, secrets: [], knows_cost: false, close: async () => undefined },
    config: { effective: { llms: { policy: { model_name } }, ...more }, original: "", file: "" },
  };
}

function measure(parts: Parts, options: Partial<MeasureOptions> = {}) {
  return measureModel(parts, {
    ...{ model: "m", best_of_n: false, dir, version: "0", seed: 0, reps: 1, now: () => 0, log: silentLogger },
    ...{ drain: signal, stop: signal, ...options },
  });
}

test("what was measured before is not measured again, unless the configured model is another one", async () => {
  asked = 0;
  const first = await measure(partsOf("four"));
  const second = await measure(partsOf("four", { finetuning: { gate: {} } }));
  expect(asked).toBe(2);
  expect(second).toEqual(first);

  const other = await measure(partsOf("another"));
  expect(asked).toBe(4);
  expect([first, other].map((one) => one?.scores.length?.average_score)).toEqual([4, 7]);
});

test("a model that has to be made ready is, where it is asked for anything; it may be stopped", async () => {
  let readied = 0;
  const ready = async () => {
    readied += 1;
    return true;
  };
  await measure(partsOf("four"), { ready });
  await measure(partsOf("four"), { ready });
  expect(readied).toBe(1);
  expect(await measure(partsOf("other"), { ready: async () => false })).toBeUndefined();
});
