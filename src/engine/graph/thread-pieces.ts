/**
 * onnxruntime cuts a result [n, m] into pieces for its threads: by columns where m > n, else by rows; columns are dealt out in
 * blocks of 16, so that pieces differ by a block. A piece of at most 64 columns sums over another number of products at a time
 * (beyond 128), and the last bits are others; unless the left matrix is given as its transpose, of which only so many are copied at a time.
 */
const BLOCK = 16;
const NARROW_BLOCKS = 64 / BLOCK;
export const DEEP = 128;

/** Up to this many threads the same bits come out. */
export const STEADY_THREADS = 8;

/** Fewer columns than this, and the most threads leave one of them a narrow piece. */
const SAFE_COLUMNS = (NARROW_BLOCKS + 1) * STEADY_THREADS * BLOCK;

/** Whether the bits of a sum over `inner` products can depend on pieces of so many columns. */
export function couldBeNarrow(columns: number, inner: number): boolean {
  return Math.ceil(columns / BLOCK) * BLOCK < SAFE_COLUMNS && inner > DEEP;
}
