import type { Attribute, Constant, Edge, ElementType, Graph, GraphNode } from "./graph.ts";
import { ProtobufWriter } from "./protobuf.ts";

const OPSET = 21;
/** The version of the model format that came with opset 21 (ONNX 1.16). */
const IR_VERSION = 10;

/** TensorProto.DataType of onnx.proto. */
const ELEMENT_TYPES: Record<ElementType, number> = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  float64: 11,
};

/** AttributeProto: the field that holds the value, and the number of its type. */
const FLOAT = { field: 2, type: 1 };
const INT = { field: 3, type: 2 };
const STRING = { field: 4, type: 3 };
const INTS = { field: 8, type: 7 };

/** Bytes that belong to a model and are handed over beside it: a protobuf message has room for 2 GiB only. */
export interface ExternalData {
  path: string;
  data: Uint8Array;
}

/**
 * A graph as the bytes of an ONNX model, without the nodes that no output needs. Fields as in onnx.proto of ONNX 1.16.
 * With `external` given, constants of more than a few bytes are added to that list and only named in the model.
 */
export function onnxModel(graph: Graph, external?: ExternalData[]): Uint8Array {
  const nodes = gradientsLast(liveNodes(graph));
  const used = new Set(nodes.flatMap(({ inputs }) => inputs));
  const names = new Map(graph.outputs.map(({ from, name }) => [from, name]));
  const domains = [...new Set(nodes.map(({ domain }) => domain))].filter((domain) => domain !== "");
  const model = new ProtobufWriter().integer(1, IR_VERSION).text(2, "pairwright");
  model.message(7, (writer) => {
    for (const node of nodes) writer.message(1, (inner) => writeNode(inner, node, names));
    writer.text(2, "graph");
    for (const constant of graph.constants) {
      if (used.has(constant.name)) writer.message(5, (inner) => writeTensor(inner, constant, external));
    }
    for (const input of graph.inputs) if (used.has(input.name)) writer.message(11, (inner) => writeEdge(inner, input));
    for (const output of graph.outputs) writer.message(12, (inner) => writeEdge(inner, output));
  });
  for (const [domain, version] of [["", OPSET] as const, ...domains.map((domain) => [domain, 1] as const)]) {
    model.message(8, (writer) => writer.text(1, domain).integer(2, version));
  }
  return model.finish();
}

/**
 * The nodes that an output depends on, in order. onnxruntime runs and stores the others too when its optimiser is off,
 * and it is off because it would undo recomputation.
 */
export function liveNodes(graph: Graph): GraphNode[] {
  const needed = new Set(graph.outputs.map(({ from }) => from));
  const live: GraphNode[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    live.push(node);
    for (const input of node.inputs) needed.add(input);
  }
  return live.reverse();
}

/**
 * The same nodes with those that nothing else takes from at the end, the first made of them last. onnxruntime makes its own
 * order: depth first from such nodes, beginning with the last one. The gradients of a model's last block are made
 * first; begun with any other, the run would go through the whole backward pass and keep every block's activations for later.
 */
export function gradientsLast(nodes: readonly GraphNode[]): GraphNode[] {
  const taken = new Set(nodes.flatMap(({ inputs }) => inputs));
  const ends = nodes.filter(({ outputs }) => !outputs.some((output) => taken.has(output)));
  const at_end = new Set(ends);
  return [...nodes.filter((node) => !at_end.has(node)), ...ends.reverse()];
}

function writeNode(writer: ProtobufWriter, node: GraphNode, names: ReadonlyMap<string, string>): void {
  for (const input of node.inputs) writer.text(1, names.get(input) ?? input);
  for (const output of node.outputs) writer.text(2, names.get(output) ?? output);
  writer.text(3, node.outputs[0] ?? node.op).text(4, node.op);
  for (const [name, value] of Object.entries(node.attributes)) {
    writer.message(5, (inner) => writeAttribute(inner, name, value));
  }
  if (node.domain !== "") writer.text(7, node.domain);
}

function writeAttribute(writer: ProtobufWriter, name: string, value: Attribute): void {
  writer.text(1, name);
  if (typeof value === "number") writer.integer(INT.field, value).integer(20, INT.type);
  else if (typeof value === "string") writer.text(STRING.field, value).integer(20, STRING.type);
  else if ("float" in value) writer.float(FLOAT.field, value.float).integer(20, FLOAT.type);
  else {
    for (const item of value) writer.integer(INTS.field, item);
    writer.integer(20, INTS.type);
  }
}

/** TensorProto.DataLocation. */
const EXTERNAL = 1;
const EXTERNAL_FROM = 1024;

function writeTensor(
  writer: ProtobufWriter,
  { name, type, shape, data }: Constant,
  external: ExternalData[] | undefined,
): void {
  for (const dimension of shape) writer.integer(1, Number(dimension));
  writer.integer(2, ELEMENT_TYPES[type]).text(8, name);
  if (external === undefined || data.length < EXTERNAL_FROM) {
    writer.bytes(9, data);
    return;
  }
  external.push({ path: name, data });
  for (const [key, value] of Object.entries({ location: name, offset: "0", length: String(data.length) })) {
    writer.message(13, (entry) => entry.text(1, key).text(2, value));
  }
  writer.integer(14, EXTERNAL);
}

function writeEdge(writer: ProtobufWriter, { name, sequence, ...tensor }: Edge): void {
  writer.text(1, name).message(2, (kind) => {
    if (sequence) kind.message(4, (list) => list.message(1, (element) => writeTensorType(element, tensor)));
    else writeTensorType(kind, tensor);
  });
}

function writeTensorType(writer: ProtobufWriter, { type, shape }: Pick<Edge, "type" | "shape">): void {
  writer.message(1, (tensor) => {
    tensor.integer(1, ELEMENT_TYPES[type]).message(2, (sizes) => {
      for (const dimension of shape) {
        sizes.message(1, (size) =>
          typeof dimension === "number" ? size.integer(1, dimension) : size.text(2, dimension),
        );
      }
    });
  });
}
