import type { PlacedTensor } from "./open-tensors.ts";
import { readableDtype } from "./tensor-file.ts";
import { badWeights } from "./weights-error.ts";

const HEAD = "lm_head.weight";
const EMBEDDING = "model.embed_tokens.weight";

/** A buffer that old versions of transformers stored; it follows from the configuration. */
const IGNORED = /\.rotary_emb\.inv_freq$/;

/**
 * The stored tensors that a model of these shapes needs, by its names. Fails with `bad_weights` on the first one that
 * is missing, surplus, of another shape or of a dtype that cannot be read. Where head and embedding are one, either may
 * be stored, or both if they are equal: with two different ones the configuration is wrong about the model.
 */
export async function checkTensors(
  dir: string,
  shapes: ReadonlyMap<string, readonly number[]>,
  stored: ReadonlyMap<string, PlacedTensor>,
): Promise<Map<string, PlacedTensor>> {
  const needed = new Map<string, PlacedTensor>();
  const tied = !shapes.has(HEAD);
  for (const [name, shape] of shapes) {
    const placed = stored.get(name) ?? (tied && name === EMBEDDING ? stored.get(HEAD) : undefined);
    if (placed === undefined) throw badWeights(fileOf(dir, stored), `tensor ${name} is missing`);
    checkTensor(placed, name, shape);
    needed.set(name, placed);
  }
  for (const [name, { file }] of stored) {
    if (shapes.has(name) || IGNORED.test(name) || (tied && name === HEAD)) continue;
    throw badWeights(file.path, `tensor ${name} is surplus: config.json describes a model without it`);
  }
  if (tied) await checkHead(stored);
  return needed;
}

function checkTensor({ entry, file }: PlacedTensor, name: string, shape: readonly number[]): void {
  if (entry.shape.length !== shape.length || entry.shape.some((size, axis) => size !== shape[axis])) {
    const [found, wanted] = [entry.shape, shape].map((sizes) => `[${sizes.join(", ")}]`);
    throw badWeights(file.path, `tensor ${name} has shape ${found}; by config.json it is ${wanted}`);
  }
  if (readableDtype(entry) === undefined) {
    throw badWeights(file.path, `tensor ${name} is ${entry.dtype}; F32, F16 and BF16 can be read`);
  }
}

/** The one file that a missing tensor would be in, or the folder where there are several. */
function fileOf(dir: string, stored: ReadonlyMap<string, PlacedTensor>): string {
  const paths = new Set([...stored.values()].map(({ file }) => file.path));
  const [first = dir] = paths;
  return paths.size === 1 ? first : dir;
}

async function checkHead(stored: ReadonlyMap<string, PlacedTensor>): Promise<void> {
  const head = stored.get(HEAD);
  const embedding = stored.get(EMBEDDING);
  if (head === undefined || embedding === undefined) return;
  const one = await embedding.file.read(EMBEDDING);
  const other = await head.file.read(HEAD);
  if (one.length === other.length && one.every((number, i) => Object.is(number, other[i]))) return;
  throw badWeights(
    head.file.path,
    `tensor ${HEAD} is not equal to ${EMBEDDING}, though tie_word_embeddings in config.json says that they are one`,
  );
}
