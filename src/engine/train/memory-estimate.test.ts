import { expect, test } from "vitest";
import { SMALL } from "./__fixtures__/small-model.ts";
import { type JobSize, peakBytes, planMemory } from "./memory-estimate.ts";
import { ANY_ROWS } from "./steady-sums.ts";
import { seenByEach } from "./tree-layout.ts";

/** SmolLM2-135M with adapters of rank 16, as it was measured. */
const SIZE: JobSize = {
  config: {
    ...SMALL,
    vocab_size: 49_152,
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    head_dim: 64,
  },
  trained: 4_884_480,
  rank: 16,
  tokens: 764,
  length: 382,
  seen: 254,
  wanted: 171,
};

test("the estimate of a measured job is near what was measured", () => {
  // 1,056 MiB with 764 tokens recomputed, 1,479 where products are kept, 3,922 with 1,528 tokens kept, see bench/train.ts.
  const products = peakBytes(SIZE, "all_but_products");
  expect(products).toBeGreaterThan(0.8 * 1.551e9);
  expect(products).toBeLessThan(1.3 * 1.551e9);
  const recomputed = peakBytes(SIZE, "all");
  const kept = peakBytes({ ...SIZE, tokens: 1528 }, "nothing");
  expect(recomputed).toBeGreaterThan(0.8 * 1.107e9);
  expect(recomputed).toBeLessThan(1.3 * 1.107e9);
  expect(kept).toBeGreaterThan(0.8 * 4.112e9);
  expect(kept).toBeLessThan(1.3 * 4.112e9);
});

test("so is that of a job whose prompts have five replies each", () => {
  // A prompt of 128 tokens and five replies of 127 beside each other: 2,672 MB.
  const length = 128 + 5 * 127;
  const seen = seenByEach([{ prompt: 128, replies: Array(5).fill(127) }], length, ANY_ROWS);
  expect(Math.round(seen)).toBe(234);
  const bytes = peakBytes({ ...SIZE, seen, wanted: 640 }, "nothing");
  expect(bytes).toBeGreaterThan(0.8 * 2.672e9);
  expect(bytes).toBeLessThan(1.3 * 2.672e9);
});

test("tokens that look at more of the others take more memory", () => {
  const more = peakBytes({ ...SIZE, seen: 764 }, "nothing");
  expect(more - peakBytes(SIZE, "nothing")).toBe(4 * 764 * 30 * 2 * 9 * 510);
});

test("activations are made again when memory would be short, and as asked", () => {
  expect(planMemory(SIZE, null, 16e9).recompute).toBe("nothing");
  expect(planMemory(SIZE, null, 3e9).recompute).toBe("all_but_products");
  expect(planMemory(SIZE, null, 1.5e9).recompute).toBe("all");
  expect(planMemory(SIZE, false, 16e9).recompute).toBe("nothing");
  expect(planMemory(SIZE, true, 16e9).recompute).toBe("all_but_products");
  expect(planMemory(SIZE, true, 1.5e9).recompute).toBe("all");
});

test("what cannot fit is refused with what would help, and nothing that is done already", () => {
  const refused = (size: JobSize, asked: boolean | null) => {
    try {
      planMemory(size, asked, 0.5e9);
    } catch (error) {
      return error as { code: string; fix: string; what: string };
    }
    throw new Error("it was not refused");
  };
  const lora = refused(SIZE, null);
  expect(lora.code).toBe("memory_too_small");
  expect(lora.what).toMatch(/needs about \d\.\d GB of memory and 0\.5 GB are free/);
  expect(lora.fix).not.toContain("lora");
  expect(lora.fix).not.toContain("--recompute");
  expect(lora.fix).toContain("--max_tokens_per_micro_batch, now 764");
  const full = refused({ ...SIZE, rank: 0, trained: 134_515_008, tokens: 382 }, false);
  expect(full.fix).toContain("--finetuning_type lora");
  expect(full.fix).toContain("--recompute");
  expect(full.fix).not.toContain("max_tokens");
});
