import type { ModelConfig } from "../model/model-config.ts";
import type { Parameters } from "../model/parameters.ts";
import { type Feeds, numbersOf, openSession, type Session, tensorMaker } from "../runtime/session.ts";
import { type MicroBatch, makeMicroBatch } from "./micro-batch.ts";
import { planMicroBatches } from "./plan-batch.ts";
import { leastRows } from "./steady-sums.ts";
import type { TrainingData } from "./training-data.ts";
import { likelihoodGraph } from "./training-graph.ts";
import { headsOf } from "./tree-layout.ts";

export interface ScorerSettings {
  config: ModelConfig;
  /** Every weight of the model. They are looked at anew in every run: later changes in place count. */
  weights: Parameters;
  adapter?: { weights: Parameters; scale: number } | undefined;
  max_length: number;
  max_tokens: number;
  chunks: number;
  threads: number;
}

/** Tells how likely a model finds sequences. */
export interface SequenceScorer {
  /** log p(reply | prompt), summed over the reply's tokens, of the named sequences. */
  score(data: TrainingData, sequences: Iterable<number>, signal?: AbortSignal): Promise<Map<number, number>>;
  release(): Promise<void>;
}

export async function openSequenceScorer(settings: ScorerSettings): Promise<SequenceScorer> {
  const { config, weights, adapter, max_length, max_tokens, chunks, threads } = settings;
  const graph = likelihoodGraph({
    config,
    trainable: new Map(),
    ...(adapter && { frozen_adapter: shapesOf(adapter.weights), adapter_scale: adapter.scale }),
    chunks,
    max_length,
  });
  const session = await openSession(graph, { threads });
  const feeds = { ...(await weightFeeds(weights)), ...(adapter && (await weightFeeds(adapter.weights))) };
  return {
    async score(data, sequences, signal) {
      const scores = new Map<number, number>();
      const batch = { pairs: [], likelihood: new Map([...sequences].map((sequence) => [sequence, 0])) };
      for (const plan of planMicroBatches(data, batch, { max_tokens, hidden_size: config.hidden_size })) {
        signal?.throwIfAborted();
        const made = makeMicroBatch(data, plan, {
          chunks,
          heads: headsOf(config),
          least: leastRows(config),
          average: false,
          preference_weight: 1,
          reference: null,
        });
        const log_probabilities = await runLikelihood(session, feeds, made);
        for (const [sequence, score] of sequenceSums(made, log_probabilities)) scores.set(sequence, score);
      }
      return scores;
    },
    release: () => session.release(),
  };
}

async function runLikelihood(session: Session, weights: Feeds, made: MicroBatch): Promise<Float32Array> {
  const outputs = await session.run({ ...weights, ...(await batchFeeds(made)) });
  return numbersOf(outputs.token_log_probabilities);
}

/** Sums over each sequence's tokens, in float64. */
export function sequenceSums({ spans }: MicroBatch, token_log_probabilities: Float32Array): Map<number, number> {
  return new Map(
    spans.map(({ sequence, start, end }) => [
      sequence,
      token_log_probabilities.subarray(start, end).reduce((sum, value) => sum + value, 0),
    ]),
  );
}

/** Weights as a graph takes them: wrapped, not copied. */
export async function weightFeeds(weights: Parameters): Promise<Feeds> {
  const tensor = await tensorMaker();
  return Object.fromEntries([...weights].map(([name, { data, shape }]) => [name, tensor(data, shape)]));
}

/** A micro-batch as a graph takes it. */
export async function batchFeeds(made: MicroBatch): Promise<Feeds> {
  const tensor = await tensorMaker();
  return Object.fromEntries(Object.entries(made.inputs).map(([name, { data, shape }]) => [name, tensor(data, shape)]));
}

export function shapesOf(weights: Parameters): Map<string, readonly number[]> {
  return new Map([...weights].map(([name, { shape }]) => [name, shape]));
}
