import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { llamaConfig } from "../../engine/__fixtures__/llama-config.ts";
import { servingSettings } from "./serving-settings.ts";

/** As SmolLM2-135M: 46,080 bytes of keys and values a token. */
const large = llamaConfig({
  vocab_size: 49_152,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  head_dim: 64,
  max_position_embeddings: 8192,
});
const GIB = 2 ** 30;

test("a small model runs many texts at once, on one thread", () => {
  expect(servingSettings(llamaConfig(), GIB)).toMatchObject({ threads: 1, max_batch: 128, max_length: 64 });
});

test("where memory is short the batch gives way first, then the length", () => {
  const of = (gib: number) => servingSettings(large, gib * GIB);

  expect(of(64)).toMatchObject({ threads: availableParallelism(), max_batch: 32, max_length: 8192 });
  expect(of(12)).toMatchObject({ max_batch: 16, max_length: 8192 });
  expect(of(1)).toMatchObject({ max_batch: 4, max_length: 2048 });
  // Weights twice, four texts and one to read prompts in, and the process itself.
  expect(of(1).bytes / GIB).toBeCloseTo((2 * 4 * 134.5e6 + 5 * 2048 * 46_080 + 126e6) / GIB, 1);
});
