/** The thread of a learner's second lane; `lanes.ts` starts it and says what to do. */
import { workerData } from "node:worker_threads";
import { serveThread } from "../../lib/thread.ts";
import { type MicroBatchResult, openGradients } from "./gradients.ts";
import type { LaneTask } from "./lanes.ts";
import type { MicroBatch } from "./micro-batch.ts";

const { settings, shared } = workerData as LaneTask;

async function open() {
  const values = new Float32Array(shared.values.length);
  const gradients = new Float32Array(values.length);
  const opened = await openGradients(settings);
  const sum = await opened.over({ values, gradients });
  return { values, gradients, sum, release: () => opened.release() };
}

const opening = open();
// Its fault is that of the first job.
opening.catch(() => undefined);

serveThread<readonly MicroBatch[], MicroBatchResult[]>({
  async work(batches) {
    const { values, gradients, sum } = await opening;
    values.set(shared.values);
    const results = await sum(batches);
    shared.gradients.set(gradients);
    return results;
  },
  transfer: (results) => results.map(({ token_log_probabilities }) => token_log_probabilities.buffer as ArrayBuffer),
  stop: async () => (await opening.catch(() => undefined))?.release(),
});
