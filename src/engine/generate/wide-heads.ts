import type { ModelConfig } from "../model/model-config.ts";
import { linearName, type Parameters, type Tensor } from "../model/parameters.ts";
import { ropeTables } from "../model/rope-tables.ts";

/** onnxruntime's GroupQueryAttention takes heads of a multiple of this many numbers. */
const MULTIPLE = 16;

/** How wide heads are while text is generated. */
export function wideHead({ head_dim }: Pick<ModelConfig, "head_dim">): number {
  return Math.ceil(head_dim / MULTIPLE) * MULTIPLE;
}

/**
 * The same model, or an adapter of it, with heads wide enough for the operator, filled up with zeros: each half of a head by itself, since rotary
 * positions turn the halves against each other. The scale of attention stays that of the model's own width.
 */
export function widenHeads(config: ModelConfig, parameters: Parameters): Parameters {
  if (wideHead(config) === config.head_dim) return parameters;
  const wide = new Map(parameters);
  for (let layer = 0; layer < config.num_hidden_layers; layer += 1) {
    for (const module of ["q_proj", "k_proj", "v_proj"] as const) {
      for (const part of ["weight", "bias", "lora_B.weight"]) {
        const name = `${linearName(layer, module)}.${part}`;
        const tensor = parameters.get(name);
        if (tensor) wide.set(name, widerRows(config, tensor));
      }
    }
    for (const part of ["weight", "lora_A.weight"]) {
      const name = `${linearName(layer, "o_proj")}.${part}`;
      const tensor = parameters.get(name);
      if (tensor) wide.set(name, widerColumns(config, tensor));
    }
  }
  return wide;
}

/** The tables of rotary positions for wide heads, row-major [positions, wide head / 2]: nothing turns where nothing is. */
export function wideRopeTables(config: ModelConfig, positions: number) {
  const { cos, sin } = ropeTables(config, positions);
  const [half, wide] = [config.head_dim / 2, wideHead(config) / 2];
  const shape: [number, number] = [positions, wide];
  const spread = (table: Float64Array) => {
    const made = new Float32Array(positions * wide);
    for (let position = 0; position < positions; position += 1) {
      made.set(table.subarray(position * half, (position + 1) * half), position * wide);
    }
    return made;
  };
  return { cos: spread(cos), sin: spread(sin), shape };
}

/** Where a number of a head stands in the wide one. */
function placeOf(config: ModelConfig, index: number): number {
  const [half, wide] = [config.head_dim / 2, wideHead(config) / 2];
  const [head, within] = [Math.floor(index / config.head_dim), index % config.head_dim];
  return head * 2 * wide + (within < half ? within : wide + within - half);
}

function widerRows(config: ModelConfig, { shape, data }: Tensor): Tensor {
  const [rows = 0, columns = 1] = shape;
  const wide_rows = (rows / config.head_dim) * wideHead(config);
  const made = new Float32Array(wide_rows * columns);
  for (let row = 0; row < rows; row += 1) {
    made.set(data.subarray(row * columns, (row + 1) * columns), placeOf(config, row) * columns);
  }
  return { shape: [wide_rows, ...shape.slice(1)], data: made };
}

function widerColumns(config: ModelConfig, { shape, data }: Tensor): Tensor {
  const [rows = 0, columns = 0] = shape;
  const wide_columns = (columns / config.head_dim) * wideHead(config);
  const made = new Float32Array(rows * wide_columns);
  for (let at = 0; at < data.length; at += 1) {
    const column = placeOf(config, at % columns);
    made[Math.floor(at / columns) * wide_columns + column] = data[at] ?? 0;
  }
  return { shape: [rows, wide_columns], data: made };
}
