import type { Graph } from "../graph/graph.ts";
import { type ExternalData, onnxModel } from "../graph/onnx-model.ts";
import { onnxRuntime } from "./onnxruntime.ts";
import { type Feeds, runOptions, type SessionOptions } from "./session.ts";

/** A graph that is ready to run, and that writes each of its outputs into a tensor that the caller gives for it. */
export interface InPlaceSession {
  /** What a run has to be given, and nothing else. */
  readonly inputs: readonly string[];
  /** A tensor may be input and output at once where the graph's operators allow that. Blocks the thread it is called on. */
  run(feeds: Feeds, into: Feeds): Promise<void>;
  release(): Promise<void>;
}

/** What the binding says when an output is not a tensor. */
const NO_TENSOR = "Non tensor type is temporarily not supported";
const LAST = "done";

/**
 * Makes a graph ready to run with outputs that are not copied. Constants are packed once for the processor.
 *
 * The binding of onnxruntime-node 1.30 copies every output of a run into a new array, also one that it wrote where the
 * caller wanted it: with a key-value cache among the outputs that is most of a step (4.4 ms of 5.2 for 32 rows of a small
 * model). It gives the outputs over in order, and stops at one that it does not know, such as a list of tensors. So the
 * graph gets one as its first output; when the binding refuses it the run is over and every tensor is written. A version
 * that takes lists, or copies nothing, works as well.
 */
export async function openInPlaceSession(graph: Graph, options: SessionOptions): Promise<InPlaceSession> {
  const { InferenceSession } = await onnxRuntime();
  refuseCopies(graph);
  const externalData: ExternalData[] = [];
  const model = onnxModel(graph, externalData);
  const session = await InferenceSession.create(model, {
    ...runOptions(options),
    externalData,
    // The refusal below is an error to onnxruntime, and meant.
    logSeverityLevel: 4,
  });
  return {
    inputs: session.inputNames,
    async run(feeds, into) {
      try {
        await session.run(feeds, { [LAST]: null, ...into });
      } catch (error) {
        if (!(error instanceof Error && error.message.includes(NO_TENSOR))) throw error;
      }
    },
    release: () => session.release(),
  };
}

function refuseCopies(graph: Graph): void {
  const { name, type } = graph.emit("SequenceConstruct", [graph.integers([0])], { type: "int64", shape: [1] });
  graph.outputs.unshift({ name: LAST, from: name, type, shape: [1], sequence: true });
}
