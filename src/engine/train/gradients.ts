import type { Parameters } from "../model/parameters.ts";
import { openInPlaceSession } from "../runtime/in-place-session.ts";
import { type Feeds, onlyTaken, tensorMaker } from "../runtime/session.ts";
import type { MicroBatch } from "./micro-batch.ts";
import { layoutOf } from "./parameter-store.ts";
import { batchFeeds, weightFeeds } from "./sequence-scorer.ts";
import { gradientGraph, type TrainingGraphOptions } from "./training-graph.ts";

/** What gradients are of; plain data, so that a thread can be told it. */
export interface GradientSettings {
  graph: TrainingGraphOptions;
  /** Weights that stay as they are. */
  frozen: Parameters;
  threads: number;
}

/** What one micro-batch came to. */
export interface MicroBatchResult {
  loss: number;
  token_log_probabilities: Float32Array;
}

/** Where the trained weights stand, and where their gradients are summed: arrays of one layout. */
export interface GradientArrays {
  values: Float32Array;
  gradients: Float32Array;
}

export interface Gradients {
  /** A way to sum the gradients of micro-batches, from zero each time, into these arrays. */
  over(arrays: GradientArrays): Promise<SumGradients>;
  release(): Promise<void>;
}

export type SumGradients = (batches: readonly MicroBatch[]) => Promise<MicroBatchResult[]>;

export async function openGradients({ graph, frozen, threads }: GradientSettings): Promise<Gradients> {
  const session = await openInPlaceSession(gradientGraph(graph), { threads });
  const layout = layoutOf(graph.trainable);
  const tensor = await tensorMaker();
  return {
    async over({ values, gradients }) {
      const { feeds, into } = await stateFeeds(frozen, layout.names, {
        value: (name) => layout.view(values, name),
        gradient: (name) => layout.view(gradients, name),
      });
      async function run(made: MicroBatch): Promise<MicroBatchResult> {
        const loss = new Float32Array(1);
        const token_log_probabilities = new Float32Array(made.wanted);
        await session.run(onlyTaken({ ...feeds, ...(await batchFeeds(made)) }, session.inputs), {
          ...into,
          loss: tensor(loss, []),
          token_log_probabilities: tensor(token_log_probabilities, [token_log_probabilities.length]),
        });
        return { loss: loss[0] ?? Number.NaN, token_log_probabilities };
      }
      return async (batches) => {
        gradients.fill(0);
        const results: MicroBatchResult[] = [];
        for (const made of batches) results.push(await run(made));
        return results;
      };
    },
    release: () => session.release(),
  };
}

type View = (name: string) => NonNullable<ReturnType<Parameters["get"]>>;

/** Weights, and where gradients are summed up: the same memory goes in and comes out. */
async function stateFeeds(
  frozen: Parameters,
  names: readonly string[],
  { value, gradient }: { value: View; gradient: View },
): Promise<{ feeds: Feeds; into: Feeds }> {
  const views = (of: View) => weightFeeds(new Map(names.map((name) => [name, of(name)])));
  const gradients = Object.entries(await views(gradient));
  return {
    feeds: {
      ...(await weightFeeds(frozen)),
      ...(await views(value)),
      ...Object.fromEntries(gradients.map(([name, tensor]) => [`sum ${name}`, tensor])),
    },
    into: Object.fromEntries(gradients.map(([name, tensor]) => [`gradient ${name}`, tensor])),
  };
}
