/** Numbers that share one scale. */
export const BLOCK = 32;

/** A matrix [rows, columns] as whole numbers of 8 or 4 bits, in the layout of onnxruntime's MatMulNBits. */
export interface Blocks {
  bits: 8 | 4;
  rows: number;
  columns: number;
  /** [rows, blocks, 32 * bits / 8]; of two numbers in a byte the first is in the low bits. A short last block is filled up with zeros. */
  data: Uint8Array;
  /** [rows, blocks]: number = scale * (whole number - 2^(bits - 1)). */
  scales: Float32Array;
}

/**
 * Rounds a row-major matrix [rows, columns] to blocks. The number of the largest size becomes the lowest whole number, the
 * one that has no counterpart of the other sign (as in llama.cpp's Q4_0), so that one step more than half is used.
 */
export function quantizeBlocks(values: Float32Array, rows: number, columns: number, bits: 8 | 4): Blocks {
  const blocks = Math.ceil(columns / BLOCK);
  const bytes = (BLOCK * bits) / 8;
  const data = new Uint8Array(rows * blocks * bytes);
  const scales = new Float32Array(rows * blocks);
  for (let row = 0; row < rows; row += 1) {
    for (let block = 0; block < blocks; block += 1) {
      const start = row * columns + block * BLOCK;
      const part = values.subarray(start, Math.min(start + BLOCK, (row + 1) * columns));
      const at = row * blocks + block;
      scales[at] = quantizeBlock(part, bits, data.subarray(at * bytes, (at + 1) * bytes));
    }
  }
  return { bits, rows, columns, data, scales };
}

/** Writes one block and gives its scale. */
function quantizeBlock(values: Float32Array, bits: 8 | 4, into: Uint8Array): number {
  const middle = 2 ** (bits - 1);
  const scale = Math.fround(-largest(values) / middle);
  const inverse = scale === 0 ? 0 : 1 / scale;
  for (let index = 0; index < BLOCK; index += 1) {
    const value = Math.round((values[index] ?? 0) * inverse) + middle;
    const whole = Math.min(Math.max(value, 0), 2 * middle - 1);
    if (bits === 8) into[index] = whole;
    else into[index >> 1] = (into[index >> 1] ?? 0) | (whole << (4 * (index & 1)));
  }
  return scale;
}

/** The value of the largest size, with its sign. */
function largest(values: Float32Array): number {
  let found = 0;
  for (const value of values) if (Math.abs(value) > Math.abs(found)) found = value;
  return found;
}

/** The numbers that blocks stand for, row-major [rows, columns]. */
export function blockValues({ bits, rows, columns, data, scales }: Blocks): Float32Array {
  const blocks = Math.ceil(columns / BLOCK);
  const middle = 2 ** (bits - 1);
  return Float32Array.from({ length: rows * columns }, (_, at) => {
    const column = at % columns;
    const block = Math.floor(at / columns) * blocks + Math.floor(column / BLOCK);
    const index = column % BLOCK;
    const byte = data[bits === 8 ? block * BLOCK + index : (block * BLOCK) / 2 + (index >> 1)] ?? 0;
    const whole = bits === 8 ? byte : (byte >> (4 * (index & 1))) & 15;
    return (scales[block] ?? 0) * (whole - middle);
  });
}
