import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ggufBytes } from "../../../tests/support/gguf-file.ts";
import { randomParameters } from "../../../tests/support/random-parameters.ts";
import { ggufOf, TOKENS } from "../../../tests/support/tiny-gguf.ts";
import { PairwrightError } from "../../lib/errors.ts";
import { seededRandom } from "../../lib/random.ts";
import { llamaConfig } from "../__fixtures__/llama-config.ts";
import { readGgufConfig } from "./gguf/gguf-config.ts";
import { ggufSource } from "./gguf/gguf-source.ts";
import { readGgufTokenizer } from "./gguf/gguf-tokenizer.ts";
import { openGguf } from "./gguf/open-gguf.ts";
import { readModelFolder } from "./model-folder.ts";
import { writeModelFolder } from "./write-model-folder.ts";

const dir = await mkdtemp(join(tmpdir(), "pairwright-damaged-"));
const config = llamaConfig({ vocab_size: TOKENS.length });
const TRIES = 300;

/** Copies of a file with one to three bytes changed somewhere in its first `within`. */
function* damaged(bytes: Buffer, within: number, seed: number): Generator<Buffer> {
  const random = seededRandom(seed);
  for (let i = 0; i < TRIES; i += 1) {
    const copy = Buffer.from(bytes);
    for (let k = 0; k <= random() * 3; k += 1) {
      copy[Math.floor(random() * within)] = random() < 0.3 ? 0xff : Math.floor(random() * 256);
    }
    yield copy;
  }
}

/** How often reading ended how; what is no error of ours is thrown on, and fails the test. */
async function endings(
  files: Iterable<Buffer>,
  read: (bytes: Buffer) => Promise<unknown>,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const bytes of files) {
    const ending = await read(bytes).then(
      () => "read",
      (error: unknown) => {
        if (PairwrightError.is(error)) return error.code;
        throw error;
      },
    );
    counts[ending] = (counts[ending] ?? 0) + 1;
  }
  return counts;
}

test("a GGUF file with wrong bytes in its header is read or refused, never anything else", async () => {
  const bytes = ggufBytes(ggufOf(config, randomParameters(config)));
  const path = join(dir, "damaged.gguf");
  const counts = await endings(damaged(bytes, 3000, 1), async (copy) => {
    await writeFile(path, copy);
    await using file = await openGguf(path);
    const found = await readGgufConfig(file);
    const source = ggufSource(file, found);
    readGgufTokenizer(file, found);
    for (const name of source.shapes.keys()) await source.read(name);
  });
  expect(Object.values(counts).reduce((sum, n) => sum + n, 0)).toBe(TRIES);
  expect(counts.bad_gguf).toBeGreaterThan(TRIES / 3);
});

test("so is a safetensors file", async () => {
  const folder = join(dir, "model");
  await writeModelFolder(folder, { config, parameters: randomParameters(config), dtype: "F32" });
  const path = join(folder, "model.safetensors");
  const bytes = await readFile(path);
  const within = 8 + Number(bytes.readBigUInt64LE(0));
  const counts = await endings(damaged(bytes, within, 2), async (copy) => {
    await writeFile(path, copy);
    await readModelFolder(folder);
  });
  expect(Object.values(counts).reduce((sum, n) => sum + n, 0)).toBe(TRIES);
  expect(counts.bad_weights).toBeGreaterThan(TRIES / 2);
});
