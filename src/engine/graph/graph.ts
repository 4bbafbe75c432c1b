import type { Dimension, Shape } from "./dimensions.ts";

export type FloatType = "float32" | "float64";
export type ElementType = FloatType | "int64" | "int32" | "bool" | "uint8";

/** An ONNX attribute: a number is an integer unless it says that it is a float. */
export type Attribute = number | string | readonly number[] | { float: number };

export interface GraphNode {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** What a name of the graph's edge is: its type and shape. */
export interface Edge {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: Shape;
  /** A list of such tensors instead of one. */
  readonly sequence?: boolean;
}

export interface Constant extends Edge {
  readonly data: Uint8Array;
}

/** A tensor inside a graph: what flows between two operators. */
export class Value implements Edge {
  readonly graph: Graph;
  readonly name: string;
  readonly type: ElementType;
  readonly shape: Shape;
  /** Whether a trainable input is upstream. */
  needs_gradient = false;

  constructor(graph: Graph, { name, type, shape }: Edge) {
    this.graph = graph;
    this.name = name;
    this.type = type;
    this.shape = shape;
  }
}

/**
 * The derivative's share of one input. Gets what other uses of the input have summed up so far, gives that plus its own:
 * operators such as Gemm and ScatterElements add to a tensor without a pass of their own.
 */
export type GradientTerm = (sum: Value | undefined) => Value;

/** One differentiable step, as the backward pass finds it. */
export type TapeEntry = DifferentiableStep | RecomputedBlock;

export interface DifferentiableStep {
  readonly output: Value;
  readonly inputs: readonly Value[];
  /** From the gradient of the output: one term an input, in the same order. Called only for inputs that need it. */
  readonly backward: (gradient: Value) => readonly GradientTerm[];
}

/** A part of the graph whose values are not kept for the backward pass, but made again there. */
export interface RecomputedBlock {
  readonly output: Value;
  readonly block_input: Value;
  /** `keep` gives back the value it gets; that one is kept. Both times the same ones in the same order. */
  readonly make: (x: Value, keep: Keep) => Value;
  readonly kept: readonly Value[];
}

export type Keep = (value: Value) => Value;

export interface EmitOptions {
  domain?: string;
  attributes?: Record<string, Attribute>;
}

/**
 * Builds one ONNX graph, with a tape of what was done to what needs a gradient. It knows shapes and types of every
 * value and refuses what does not fit when it is built, not when it runs. Operators are the functions of `ops/`.
 */
export class Graph {
  /** float64 is for checking derivatives: operators that onnxruntime has in float32 only are composed of others then. */
  readonly float: FloatType;
  /** Whether products are laid out so that their bits do not depend on how many threads a run has; one thread needs none of it. */
  readonly steady: boolean;
  readonly inputs: Edge[] = [];
  readonly outputs: (Edge & { from: string })[] = [];
  readonly constants: Constant[] = [];
  readonly nodes: GraphNode[] = [];
  tape: TapeEntry[] = [];
  readonly #known = new Map<string, Value>();
  readonly #symbols = new Map<string, { input: Value; axis: number }>();
  #count = 0;

  constructor({ float = "float32", steady = true }: { float?: FloatType; steady?: boolean } = {}) {
    this.float = float;
    this.steady = steady;
  }

  /** A tensor that is given when the graph runs. Names of dimensions stand for themselves wherever they occur again. */
  input(name: string, shape: Shape, { type = this.float, trainable = false }: InputOptions = {}): Value {
    if (this.inputs.some((known) => known.name === name)) throw new RangeError(`input ${name} is there already`);
    const value = new Value(this, { name, type, shape });
    value.needs_gradient = trainable;
    this.inputs.push(value);
    shape.forEach((dimension, axis) => {
      if (typeof dimension === "string" && !this.#symbols.has(dimension)) {
        this.#symbols.set(dimension, { input: value, axis });
      }
    });
    return value;
  }

  /** A tensor of this graph's float type whose numbers are part of the graph. */
  constant(data: ArrayLike<number>, shape: readonly number[]): Value {
    const numbers = this.float === "float32" ? Float32Array.from(data) : Float64Array.from(data);
    return this.#constant(`${this.float} ${shape}: ${numbers.length <= 16 ? numbers.join() : this.#count}`, {
      type: this.float,
      shape,
      data: new Uint8Array(numbers.buffer),
    });
  }

  scalar(value: number): Value {
    return this.constant([value], []);
  }

  /** A one-dimensional tensor of int64: axes, sizes, starts. */
  integers(values: readonly number[], shape: readonly number[] = [values.length]): Value {
    const data = BigInt64Array.from(values.map(BigInt));
    return this.#constant(`int64 ${shape}: ${values}`, { type: "int64", shape, data: new Uint8Array(data.buffer) });
  }

  #constant(key: string, constant: Omit<Constant, "name">): Value {
    return this.once(key, () => {
      const named = { name: this.#name("constant"), ...constant };
      this.constants.push(named);
      return new Value(this, named);
    });
  }

  /** Makes a value at its first use; later uses of the key share it. */
  once(key: string, make: () => Value): Value {
    const value = this.#known.get(key) ?? make();
    this.#known.set(key, value);
    return value;
  }

  /** A named dimension as an int64 tensor of one number, read from an input that has it. */
  dimension(dimension: Dimension): Value {
    if (typeof dimension === "number") return this.integers([dimension]);
    return this.once(`dimension ${dimension}`, () => {
      const known = this.#symbols.get(dimension);
      if (known) {
        const attributes = { start: known.axis, end: known.axis + 1 };
        return this.emit("Shape", [known.input], { type: "int64", shape: [1] }, { attributes });
      }
      const [first, ...others] = dimension.split("*").map((part) => (/^\d+$/.test(part) ? Number(part) : part));
      if (first === undefined || others.length === 0) throw new RangeError(`no input has the dimension ${dimension}`);
      return others.reduce<Value>(
        (sum, part) => this.emit("Mul", [sum, this.dimension(part)], { type: "int64", shape: [1] }),
        this.dimension(first),
      );
    });
  }

  /** Emits a node with one output. No derivative belongs to it until `differentiable` gives it one. */
  emit(
    op: string,
    inputs: readonly (Value | undefined)[],
    output: Omit<Edge, "name">,
    options: EmitOptions = {},
  ): Value {
    const [value] = this.emitMany(op, inputs, [output], options);
    if (value === undefined) throw new RangeError(`${op} has no output`);
    return value;
  }

  /** Emits a node with several outputs. An `undefined` input is one that is left out. */
  emitMany(
    op: string,
    inputs: readonly (Value | undefined)[],
    outputs: readonly Omit<Edge, "name">[],
    { domain = "", attributes = {} }: EmitOptions = {},
  ): Value[] {
    const values = outputs.map(({ type, shape }) => new Value(this, { name: this.#name(op), type, shape }));
    this.nodes.push({
      op,
      domain,
      inputs: inputs.map((value) => value?.name ?? ""),
      outputs: values.map(({ name }) => name),
      attributes,
    });
    return values;
  }

  /** Gives a value its derivative. */
  differentiable(output: Value, inputs: readonly Value[], backward: DifferentiableStep["backward"]): Value {
    output.needs_gradient = inputs.some((input) => input.needs_gradient);
    if (output.needs_gradient) this.tape.push({ output, inputs, backward });
    return output;
  }

  /** Runs `make` with a tape of its own, and gives back what it made and what the tape holds. */
  recorded<T>(make: () => T): { made: T; tape: TapeEntry[] } {
    const outer = this.tape;
    this.tape = [];
    try {
      return { made: make(), tape: this.tape };
    } finally {
      this.tape = outer;
    }
  }

  /** What `make` gives, as something that no gradient passes through. */
  withoutGradient(make: () => Value): Value {
    const { made } = this.recorded(make);
    made.needs_gradient = false;
    return made;
  }

  /** Gives a value to whoever runs the graph, under this name. */
  output(name: string, value: Value): void {
    const direct = this.nodes.some((node) => node.outputs.includes(value.name));
    if (direct && !this.outputs.some(({ from }) => from === value.name)) {
      this.outputs.push({ name, from: value.name, type: value.type, shape: value.shape });
    } else {
      // An input, a constant, or what is given out under another name already.
      this.output(name, this.emit("Identity", [value], value));
    }
  }

  #name(op: string): string {
    this.#count += 1;
    return `${op}.${this.#count}`;
  }
}

interface InputOptions {
  type?: ElementType;
  trainable?: boolean;
}
