import { startThread, type Thread } from "../../lib/thread.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { parameterCount } from "../model/parameters.ts";
import { type GradientArrays, type GradientSettings, type MicroBatchResult, openGradients } from "./gradients.ts";
import type { MicroBatch } from "./micro-batch.ts";
import type { ParameterStore } from "./parameter-store.ts";
import { ANY_ROWS, type LeastRows, leastRows } from "./steady-sums.ts";

/**
 * A step of a small model is many short operations, and two threads that share each of them wait for one another more than
 * they work. So the step's rows go two lanes, each with operations of its own, and the lanes' gradients are added. How
 * many lanes there are depends on the model alone, and so no bit depends on how many threads there are.
 */
const LANES = 2;

/** Models with more weights than this are bound by their matrix products, which threads share well, and by memory. */
const SMALL = 4e6;

export function lanesFor(config: ModelConfig): number {
  return parameterCount(config) <= SMALL ? LANES : 1;
}

/** Of a small model's operations none gains by a second thread, and with one there is no other order to sum in. */
export function laneSettings(settings: GradientSettings): GradientSettings {
  if (lanesFor(settings.graph.config) === 1) return settings;
  return { ...settings, threads: 1, graph: { ...settings.graph, steady: false } };
}

/** What rows of micro-batches are filled up to. */
export function laneRows(config: ModelConfig): LeastRows {
  return lanesFor(config) === 1 ? leastRows(config) : ANY_ROWS;
}

/** What the second lane's thread is started with; the arrays' memory is shared. */
export interface LaneTask {
  settings: GradientSettings;
  shared: GradientArrays;
}

/** Makes the micro-batches of a lane, once, when it begins. */
export type LaneWork = () => readonly MicroBatch[];

export interface Lanes {
  /** Sums the gradients of each lane's micro-batches, and those of all lanes, into the store's. */
  run(lanes: readonly LaneWork[]): Promise<MicroBatchResult[][]>;
  release(): Promise<void>;
}

const NOTHING: LaneWork = () => [];

/** Gradients into the store's, by as many lanes as the model takes, in threads where there are some to spare. */
export async function openLanes(store: ParameterStore, settings: GradientSettings): Promise<Lanes> {
  const lanes = lanesFor(settings.graph.config);
  const beside = lanes > 1 && settings.threads > 1 && import.meta.url.endsWith(".js");
  const own = laneSettings(settings);
  const gradients = await openGradients(own);
  const first = await gradients.over(store);
  if (lanes === 1) {
    return { run: async ([work = NOTHING]) => [await first(work())], release: () => gradients.release() };
  }
  const second = beside ? startLane(store, own) : await laneHere(store, gradients);
  return {
    async run([work = NOTHING, other = NOTHING]) {
      // The other lane first: it begins while this one's work is made.
      const others = other();
      const theirs = others.length > 0 ? second.run(others) : undefined;
      // A lane that is under way is waited for, also where the other one has failed.
      const mine = async () => await first(work());
      const [ours, rest] = await Promise.allSettled([mine(), theirs]);
      if (ours.status === "rejected") throw ours.reason;
      if (rest.status === "rejected") throw rest.reason;
      if (rest.value !== undefined) store.kernels.add(store.gradients, second.gradients);
      return [ours.value, rest.value ?? []];
    },
    async release() {
      await second.stop();
      await gradients.release();
    },
  };
}

interface SecondLane {
  readonly gradients: Float32Array;
  run(batches: readonly MicroBatch[]): Promise<MicroBatchResult[]>;
  stop(): Promise<unknown>;
}

async function laneHere(
  { values }: GradientArrays,
  { over }: Awaited<ReturnType<typeof openGradients>>,
): Promise<SecondLane> {
  const gradients = new Float32Array(values.length);
  return { gradients, run: await over({ values, gradients }), stop: async () => undefined };
}

/** onnxruntime's binding takes no shared memory: weights are copied there before each step, and gradients back after it. */
function startLane({ values }: GradientArrays, settings: GradientSettings): SecondLane {
  const share = () => new Float32Array(new SharedArrayBuffer(values.byteLength));
  const shared = { values: share(), gradients: share() };
  const task: LaneTask = { settings, shared };
  const thread: Thread<readonly MicroBatch[], MicroBatchResult[]> = startThread(
    new URL("./lane-thread.js", import.meta.url),
    task,
  );
  return {
    gradients: shared.gradients,
    run(batches) {
      shared.values.set(values);
      return thread.run(batches, batches.flatMap(buffersOf));
    },
    stop: () => thread.stop(),
  };
}

/** A lane's micro-batches go to its thread with their memory. */
function buffersOf({ inputs }: MicroBatch): ArrayBuffer[] {
  return Object.values(inputs).map(({ data }) => data.buffer as ArrayBuffer);
}
