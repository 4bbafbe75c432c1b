import type { Parameters } from "../model/parameters.ts";

/** Tensors that are read one by one: of what may be too big to hold at once, or is worked out when asked for. */
export interface TensorSource {
  /** Names and shapes, in the order in which they are best read. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The numbers of one of them. They are not kept: another call reads them again. */
  read(name: string): Promise<Float32Array> | Float32Array;
}

/** Tensors in memory as a source. */
export function tensorSource(parameters: Parameters): TensorSource {
  return {
    shapes: new Map([...parameters].map(([name, { shape }]) => [name, shape])),
    read(name) {
      const tensor = parameters.get(name);
      if (tensor === undefined) throw new RangeError(`no tensor ${name}`);
      return tensor.data;
    },
  };
}
