import type { InferenceSession, Tensor as OrtTensor, TypedTensor } from "onnxruntime-node";
import type { ElementType, Graph } from "../graph/graph.ts";
import { onnxModel } from "../graph/onnx-model.ts";
import { onnxRuntime } from "./onnxruntime.ts";

export interface SessionOptions {
  threads: number;
  /** Keeps freed memory for later runs: faster where large buffers come and go, at the price of holding on to it. */
  arena?: boolean;
}

/** Named tensors that go into a run or come out of it. */
export type Feeds = Record<string, OrtTensor>;

/** A graph that is ready to run. Runs block the thread they are called on. */
export interface Session {
  /** Gives every output of the graph; those that stand in `into` are written to the tensor given there, in place. */
  run(feeds: Feeds, into?: Feeds): Promise<Feeds>;
  release(): Promise<void>;
}

/**
 * Makes a graph ready to run. The optimiser is off: it would undo recomputation, it fuses float64 graphs into operators
 * that have no float64 kernel, and it takes seconds for nothing. The memory pattern is off: it doubles what a run holds.
 */
export async function openSession(graph: Graph, { threads, arena = true }: SessionOptions): Promise<Session> {
  const { InferenceSession } = await onnxRuntime();
  const options: InferenceSession.SessionOptions = {
    graphOptimizationLevel: "disabled",
    enableMemPattern: false,
    enableCpuMemArena: arena,
    executionMode: "sequential",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Errors only: onnxruntime warns on the process's stderr of what is meant here.
    logSeverityLevel: 3,
    extra: { session: { set_denormal_as_zero: "1" } },
  };
  const session = await InferenceSession.create(onnxModel(graph), options);
  const taken = new Set(session.inputNames);
  const outputs = Object.fromEntries(session.outputNames.map((name) => [name, null]));
  return {
    async run(feeds, into = {}) {
      const used = Object.fromEntries(Object.entries(feeds).filter(([name]) => taken.has(name)));
      return (await session.run(used, { ...outputs, ...into })) as Feeds;
    },
    release: () => session.release(),
  };
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
