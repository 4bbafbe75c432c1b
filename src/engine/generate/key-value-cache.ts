import type { Tensor as OrtTensor } from "onnxruntime-node";
import type { ModelConfig } from "../model/model-config.ts";
import type { Feeds } from "../runtime/session.ts";
import { cacheNames } from "./decode-graph.ts";
import { wideHead } from "./wide-heads.ts";

export type MakeTensor = (data: Float32Array, shape: readonly number[]) => OrtTensor;

/** The keys and values of one row's first tokens, taken out of the cache. */
export interface CachedTokens {
  readonly length: number;
  readonly parts: readonly Float32Array[];
}

/**
 * Keys and values of `rows` texts of up to `length` tokens each: for each layer two arrays [rows, key heads, length,
 * head width]. Memory is reserved at once, and used by the system as texts grow.
 */
export class KeyValueCache {
  readonly length: number;
  readonly #layers: number;
  readonly #heads: number;
  readonly #width: number;
  readonly #arrays: Float32Array[];
  readonly #tensor: MakeTensor;

  constructor(config: ModelConfig, rows: number, length: number, tensor: MakeTensor) {
    this.length = length;
    this.#layers = config.num_hidden_layers;
    this.#heads = config.num_key_value_heads;
    this.#width = wideHead(config);
    this.#tensor = tensor;
    const size = rows * this.#heads * length * this.#width;
    this.#arrays = Array.from({ length: 2 * this.#layers }, () => new Float32Array(size));
  }

  /** The tensors of some rows, as what a run reads and as what it writes: the same memory. */
  rows(first: number, count: number): { past: Feeds; present: Feeds } {
    const row = this.#heads * this.length * this.#width;
    const shape = [count, this.#heads, this.length, this.#width];
    const past: Feeds = {};
    const present: Feeds = {};
    this.#arrays.forEach((array, index) => {
      const names = cacheNames(index >> 1);
      const tensor = this.#tensor(array.subarray(first * row, (first + count) * row), shape);
      past[names.past[(index & 1) as 0 | 1]] = tensor;
      present[names.present[(index & 1) as 0 | 1]] = tensor;
    });
    return { past, present };
  }

  /** Copies the first `length` tokens of a row to another one. */
  copy(from: number, to: number, length: number): void {
    if (from === to) return;
    for (const array of this.#arrays) {
      for (let head = 0; head < this.#heads; head += 1) {
        const source = this.#start(from, head);
        array.copyWithin(this.#start(to, head), source, source + length * this.#width);
      }
    }
  }

  /** A copy of a row's first `length` tokens. */
  take(row: number, length: number): CachedTokens {
    const size = length * this.#width;
    const parts = this.#arrays.map((array) => {
      const part = new Float32Array(this.#heads * size);
      for (let head = 0; head < this.#heads; head += 1) {
        const start = this.#start(row, head);
        part.set(array.subarray(start, start + size), head * size);
      }
      return part;
    });
    return { length, parts };
  }

  /** Puts taken tokens into a row. */
  put(row: number, { length, parts }: CachedTokens): void {
    const size = length * this.#width;
    parts.forEach((part, index) => {
      for (let head = 0; head < this.#heads; head += 1) {
        this.#arrays[index]?.set(part.subarray(head * size, (head + 1) * size), this.#start(row, head));
      }
    });
  }

  #start(row: number, head: number): number {
    return (row * this.#heads + head) * this.length * this.#width;
  }
}

/** Bytes of a cache of this many rows. */
export function cacheBytes(config: ModelConfig, rows: number, length: number): number {
  return 8 * config.num_hidden_layers * config.num_key_value_heads * wideHead(config) * rows * length;
}
