import type { InferenceSession, Tensor as OrtTensor, TypedTensor } from "onnxruntime-node";
import type { ElementType, Graph } from "../graph/graph.ts";
import { onnxModel } from "../graph/onnx-model.ts";
import { onnxRuntime } from "./onnxruntime.ts";

export interface SessionOptions {
  threads: number;
}

/** Named tensors that go into a run or come out of it. */
export type Feeds = Record<string, OrtTensor>;

/** A graph that is ready to run. Runs block the thread they are called on. */
export interface Session {
  /** Gives every output of the graph. */
  run(feeds: Feeds): Promise<Feeds>;
  release(): Promise<void>;
}

/**
 * How every graph is run. The optimiser is off: it would undo recomputation, it fuses float64 graphs into operators that
 * have no float64 kernel, and it takes seconds for nothing. The memory pattern is off: it doubles what a run holds.
 * Threads do not wait for each other in a loop: on a quiet machine that gains nothing, and as soon as another process wants
 * the same cores it is three times as slow. Denormal numbers are zero: a loss that has come near its end is full of
 * them, and they take ten times as long.
 */
export function runOptions({ threads }: SessionOptions): InferenceSession.SessionOptions {
  return {
    graphOptimizationLevel: "disabled",
    enableMemPattern: false,
    // Without the arena freed memory lies about in pieces: 2.4 GB at the peak of a job that takes 0.95 with it.
    enableCpuMemArena: true,
    executionMode: "sequential",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Errors only: onnxruntime warns on the process's stderr of what is meant here.
    logSeverityLevel: 3,
    extra: { session: { set_denormal_as_zero: "1", intra_op: { allow_spinning: "0" } } },
  };
}

/** Makes a graph ready to run, with outputs that are copied out of it. See `runOptions`. */
export async function openSession(graph: Graph, options: SessionOptions): Promise<Session> {
  const { InferenceSession } = await onnxRuntime();
  const session = await InferenceSession.create(onnxModel(graph), runOptions(options));
  const outputs = Object.fromEntries(session.outputNames.map((name) => [name, null]));
  return {
    async run(feeds) {
      return (await session.run(onlyTaken(feeds, session.inputNames), outputs)) as Feeds;
    },
    release: () => session.release(),
  };
}

/** The feeds that a graph takes: what its nodes do not use is no input of it. */
export function onlyTaken(feeds: Feeds, names: readonly string[]): Feeds {
  const taken = new Set(names);
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => taken.has(name)));
}

type TensorData = Float32Array | Float64Array | BigInt64Array | Int32Array | Uint8Array;

const TYPE_OF: readonly [new (size: number) => TensorData, ElementType][] = [
  [Float32Array, "float32"],
  [Float64Array, "float64"],
  [BigInt64Array, "int64"],
  [Int32Array, "int32"],
  [Uint8Array, "uint8"],
];

/** Wraps numbers as onnxruntime's tensor; they are not copied. */
export async function tensorMaker(): Promise<(data: TensorData, shape: readonly number[]) => OrtTensor> {
  const { Tensor } = await onnxRuntime();
  return (data, shape) => {
    const type = TYPE_OF.find(([kind]) => data instanceof kind)?.[1];
    if (type === undefined || type === "bool") throw new RangeError("no tensor of this kind of array");
    return new Tensor(type as "float32", data as Float32Array, shape) as OrtTensor;
  };
}

/** The numbers of a tensor. */
export function numbersOf(tensor: OrtTensor | undefined): Float32Array {
  if (tensor === undefined) throw new RangeError("the graph has no such output");
  return (tensor as TypedTensor<"float32">).data;
}
