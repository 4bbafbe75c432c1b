import { join } from "node:path";
import { EXIT, PairwrightError, usageError } from "../../lib/errors.ts";
import { canonicalJson, sha256 } from "../../lib/hash.ts";
import { initialAdapter } from "../model/initial-weights.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { type Parameters, sizeOf } from "../model/parameters.ts";
import { logitParts } from "../model/token-log-probabilities.ts";
import { matrixRate } from "../runtime/matrix-rate.ts";
import { type Model, readModelFolder } from "../weights/model-folder.ts";
import { stepsInAll, unitsOf } from "./batches.ts";
import { laneRows } from "./lanes.ts";
import type { LoadedData } from "./load-training-data.ts";
import { gigabytes, planMemory } from "./memory-estimate.ts";
import { treeLength } from "./micro-batch.ts";
import { readOptimiser } from "./optimiser-file.ts";
import { treeRoom } from "./plan-batch.ts";
import { hashOfWeights, referenceLogProbabilities } from "./reference.ts";
import type { OptimiserState, TrainingRun } from "./run-training.ts";
import { about, estimateSeconds } from "./time-estimate.ts";
import { hashOfData, promptAt, sequenceAt, type TrainingData } from "./training-data.ts";
import type { TrainingEvent, TrainingJob } from "./training-job.ts";
import type { TrainingOptions } from "./training-options.ts";
import { type RowLengths, seenByEach } from "./tree-layout.ts";

export interface PrepareOptions {
  signal: AbortSignal;
  on_event: (event: TrainingEvent) => void;
  available_memory: number;
  work_dir: string;
  now: () => number;
}

/** From what was read to what is run: how memory is used, what is trained, and what the reference model thinks of the data. */
export async function prepareRun(
  job: TrainingJob,
  model: Model,
  { data, validation }: LoadedData,
  prepare: PrepareOptions,
): Promise<TrainingRun> {
  const { options, threads } = job;
  const { config, parameters } = model;
  const adapter = adapterOf(job, model);
  const length = Math.max(longestRow(data), validation ? longestRow(validation) : 0);
  const max_tokens = Math.max(options.max_tokens_per_micro_batch, length);
  const chunks = logitParts(config, max_tokens);
  const { recompute, bytes } = planMemory(
    {
      config,
      trained: numbersIn(adapter?.weights ?? parameters),
      rank: adapter ? options.lora.rank : 0,
      tokens: max_tokens,
      length,
      seen: Math.max(...[data, validation].map((of) => (of ? mostSeen(of, max_tokens, config) : 0))),
      wanted: Math.max(Math.ceil(max_tokens / chunks), laneRows(config).wanted),
    },
    options.recompute,
    prepare.available_memory,
  );
  const steps = stepsInAll(unitsOf(data, options).length, options);
  const rate = await matrixRate(threads, 5);
  const seconds = estimateSeconds({ config, data, options, recompute, steps, rate });
  const detail = [
    `${data.pairs.length || data.targets.length} rows, ${steps} steps`,
    `about ${about(seconds)} and ${gigabytes(bytes)} of memory${recompute === "nothing" ? "" : ", activations made again"}`,
  ].join(", ");
  prepare.on_event({ event: "stage", stage: "estimate", detail });

  const model_hash = hashOfWeights(parameters);
  // A row may hold many replies to its prompt: its tokens are more than any of their positions.
  const shared = { chunks, max_length: max_tokens, threads };
  const reference = await referencesOf(
    job,
    model,
    { data, validation },
    { ...prepare, ...shared, model_hash, max_tokens },
  );
  if (job.optimizer_from !== null && adapter !== undefined) throw noMomentsForAdapters();
  const optimiser = job.optimizer_from === null ? null : await readOptimiser(job.optimizer_from);
  const fingerprint = sha256(
    canonicalJson({
      config,
      model_hash,
      options: decisive(options),
      reference: reference.hash,
      optimiser: optimiser && optimiserHash(optimiser),
      data: hashOfData(data),
      validation: validation && hashOfData(validation),
    }),
  );
  return {
    config,
    weights: parameters,
    adapter,
    data,
    reference: reference.training,
    validation: validation && { data: validation, reference: reference.validation },
    options: { ...options, max_tokens_per_micro_batch: max_tokens },
    ...shared,
    recompute,
    checkpoints: { dir: prepare.work_dir, fingerprint },
    optimiser,
    now: prepare.now,
  };
}

/** What decides what is learned. The others say how much is computed at a time, and may change when a job goes on. */
function decisive({ recompute, max_tokens_per_micro_batch, checkpoint_every, ...options }: TrainingOptions) {
  return options;
}

function optimiserHash({ first_moments, second_moments, steps }: OptimiserState): string {
  const moments = { first_moments, second_moments };
  const tensors = Object.entries(moments).map(([name, data]) => [name, { shape: [data.length], data }] as const);
  return `${steps} ${hashOfWeights(new Map(tensors))}`;
}

function adapterOf({ options }: TrainingJob, { config }: Model): TrainingRun["adapter"] {
  const { finetuning_type, lora, seed } = options;
  if (finetuning_type === "all_weights") return undefined;
  return { weights: initialAdapter(config, lora, seed), scale: lora.alpha / lora.rank };
}

interface Shared extends PrepareOptions {
  chunks: number;
  max_length: number;
  max_tokens: number;
  threads: number;
  model_hash: string;
}

interface References {
  training: Float64Array | null;
  validation: Float64Array | null;
  /** Of the reference model's weights. */
  hash: string;
}

/** What the reference model thinks of every reply. It is the model as it starts, unless another one is named. */
async function referencesOf(
  job: TrainingJob,
  model: Model,
  { data, validation }: { data: TrainingData; validation: TrainingData | null },
  shared: Shared,
): Promise<References> {
  if (job.options.training_type === "sft") return { training: null, validation: null, hash: "" };
  shared.on_event({ event: "stage", stage: "reference", detail: job.reference_model ?? "" });
  const other = job.reference_model === null ? null : await readModelFolder(job.reference_model);
  if (job.reference_model !== null && other?.config.vocab_size !== model.config.vocab_size) {
    throw otherVocabulary(job.reference_model, job.model);
  }
  const hash = other === null ? shared.model_hash : hashOfWeights(other.parameters);
  const { config, parameters: weights } = other ?? model;
  const { signal, chunks, max_length, max_tokens, threads } = shared;
  const score = async (of: TrainingData) => {
    const cache = { dir: join(shared.work_dir, "reference"), model_hash: hash };
    const settings = { config, weights, chunks, max_length, max_tokens, threads };
    const { values } = await referenceLogProbabilities(settings, of, { cache, signal });
    return values;
  };
  const training = await score(data);
  refuseNonFinite(training, data);
  const validating = validation && (await score(validation));
  if (validating !== null && validation !== null) refuseNonFinite(validating, validation);
  return { training, validation: validating, hash };
}

function otherVocabulary(reference: string, model: string): PairwrightError {
  return usageError({
    code: "reference_mismatch",
    where: reference,
    what: `the reference model has a vocabulary of another size than ${model}`,
    fix: "name a reference model with the same tokenizer",
  });
}

function refuseNonFinite(values: Float64Array, data: TrainingData): void {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad === -1) return;
  const row = data.pairs.find(({ chosen, rejected }) => chosen === bad || rejected === bad)?.row;
  throw new PairwrightError({
    code: "loss_not_finite",
    where: "the reference model",
    what: `its log-probability of a reply of row ${row} is not finite`,
    fix: "see that the model's weights are finite",
    exit_code: EXIT.training_failed,
  });
}

/** Tokens of the longest row that cannot be cut: a prompt with both replies of a pair, or with the reply to learn. */
function longestRow(data: TrainingData): number {
  const trees = [
    ...data.pairs.map(({ chosen, rejected }) => [chosen, rejected]),
    ...data.targets.map(({ sequence }) => [sequence]),
  ];
  return trees.reduce((longest, sequences) => {
    const [first = 0] = sequences;
    return Math.max(longest, treeLength(data, { prompt: sequenceAt(data, first).prompt, sequences }));
  }, 0);
}

/** How many tokens each one looks at: of the tree where these are most, or of two that are unlike each other, where both fit. */
function mostSeen(data: TrainingData, max_tokens: number, config: ModelConfig): number {
  const replies = data.prompts.map((): number[] => []);
  for (const { prompt, completion } of data.sequences) replies[prompt]?.push(completion.length - 1);
  const least = laneRows(config);
  const trees = replies.map((own, index) => {
    const prompt = promptAt(data, index).length;
    return treeWithin(prompt, own, Math.min(treeRoom(prompt, config.hidden_size), max_tokens));
  });
  const seen = (rows: readonly SizedTree[]) => seenByEach(rows, Math.max(...rows.map(({ length }) => length)), least);
  const alone = trees.reduce((most, tree) => Math.max(most, seen([tree])), 0);
  const largest = (of: (tree: SizedTree) => number) =>
    trees.reduce((most, tree) => (of(tree) > of(most) ? tree : most));
  const unlike = [largest(({ prompt }) => prompt), largest(({ replies: own }) => Math.max(0, ...own))];
  const fit = 2 * Math.max(...unlike.map(({ length }) => length)) <= max_tokens;
  return fit ? Math.max(alone, seen(unlike)) : alone;
}

type SizedTree = RowLengths & { length: number };

/** A prompt with as many of its replies as find room; two stand there in any case. */
function treeWithin(prompt: number, replies: readonly number[], room: number): SizedTree {
  const beside: number[] = [];
  let length = prompt;
  for (const reply of replies) {
    if (beside.length >= 2 && length + reply > room) break;
    beside.push(reply);
    length += reply;
  }
  return { prompt, replies: beside, length };
}

function numbersIn(weights: Parameters): number {
  return [...weights.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/** A job's adapters are merged into its model: the next job's are new ones, and moments of the old ones say nothing of them. */
function noMomentsForAdapters() {
  return usageError({
    code: "optimizer_mismatch",
    where: "--optimizer_from",
    what: "LoRA adapters begin anew in each job, and an optimiser goes on only with the weights that it belongs to",
    fix: "leave --optimizer_from out, or train all weights",
  });
}
