/**
 * Generation: tokens a second of replies, reading the prompts included, for two shapes with random weights. The rates go
 * through the whole generator (sampling at temperature 1 over the whole vocabulary). Beside them stands the rate of a large
 * matrix product in the same process, before and after, since machines differ and neighbours take their share.
 * Rates a second of processor time stand
 * beside those of the clock; with one thread they hold on a busy machine, too, as no thread waits for another.
 * Call: `jiti bench/generate.ts [SHAPE…] [THREADS]` after `npm run build`.
 */
import type { ModelConfig } from "../src/engine/model/model-config.ts";
import { machine } from "./machine.ts";

const dist = <T>(path: string) => import(new URL(`../dist/engine/${path}.js`, import.meta.url).href) as Promise<T>;
const { openGenerator } = await dist<typeof import("../src/engine/generate/generator.ts")>("generate/generator");
const { parameterShapes, sizeOf } = await dist<typeof import("../src/engine/model/parameters.ts")>("model/parameters");
const { Graph } = await dist<typeof import("../src/engine/graph/graph.ts")>("graph/graph");
const { gemm } = await dist<typeof import("../src/engine/graph/ops/matmul.ts")>("graph/ops/matmul");
const { openSession, tensorMaker } = await dist<typeof import("../src/engine/runtime/session.ts")>("runtime/session");

const THREADS = Number(process.argv.slice(2).find((given) => /^\d+$/.test(given)) ?? 2);
const PROMPT = 32;
const ROUNDS = 5;

const common = {
  model_type: "llama",
  rms_norm_eps: 1e-5,
  rope_theta: 100_000,
  rope_scaling: null,
  attention_bias: "none",
  tie_word_embeddings: true,
  max_position_embeddings: 512,
} as const;

interface Shape {
  config: ModelConfig;
  formats: ("f32" | "int8" | "int4")[];
  batches: number[];
  reply: number;
}

const SHAPES: Record<string, Shape> = {
  "0.8M": {
    config: {
      ...common,
      vocab_size: 128,
      hidden_size: 128,
      intermediate_size: 384,
      num_hidden_layers: 4,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      head_dim: 32,
    },
    formats: ["f32", "int8"],
    batches: [1, 8, 32],
    reply: 96,
  },
  "135M": {
    config: {
      ...common,
      vocab_size: 49_152,
      hidden_size: 576,
      intermediate_size: 1536,
      num_hidden_layers: 30,
      num_attention_heads: 9,
      num_key_value_heads: 3,
      head_dim: 64,
    },
    formats: ["f32", "int8", "int4"],
    batches: [1, 8],
    reply: 32,
  },
};

function randomParameters(config: ModelConfig) {
  const tensors = [...parameterShapes(config)].map(([name, shape]) => {
    const data = new Float32Array(sizeOf(shape));
    for (let at = 0; at < data.length; at += 1)
      data[at] = name.includes("norm") ? 1 : ((at * 2654435761) % 1000) / 1e4 - 0.05;
    return [name, { shape, data }] as const;
  });
  return new Map(tensors);
}

/** GFLOP/s of [2048, 576] times [1536, 576] transposed: the best of a few. */
async function productRate(): Promise<number> {
  const graph = new Graph();
  graph.output("y", gemm(graph.input("a", [2048, 576]), graph.input("b", [1536, 576]), { transpose_b: true }));
  const session = await openSession(graph, { threads: THREADS });
  const tensor = await tensorMaker();
  const feeds = {
    a: tensor(new Float32Array(2048 * 576).fill(0.5), [2048, 576]),
    b: tensor(new Float32Array(1536 * 576).fill(0.5), [1536, 576]),
  };
  let best = 0;
  for (let round = 0; round < 20; round += 1) {
    const started = performance.now();
    await session.run(feeds);
    best = Math.max(best, (2 * 2048 * 576 * 1536) / (performance.now() - started) / 1e6);
  }
  await session.release();
  return best;
}

async function measure(name: string, { config, formats, batches, reply }: Shape): Promise<void> {
  const parameters = randomParameters(config);
  for (const weights of formats) {
    const max_batch = Math.max(...batches);
    const generator = await openGenerator({ config, parameters, threads: THREADS, max_batch, weights });
    for (const batch of batches) {
      const rates: number[] = [];
      const busy: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const cpu = process.cpuUsage();
        const started = performance.now();
        const requests = Array.from({ length: batch }, (_, at) => {
          const prompt = Array.from(
            { length: PROMPT },
            (_, place) => (at * 31 + place * 7 + round) % config.vocab_size,
          );
          return generator.generate({ prompt, max_tokens: reply, seed: at });
        });
        const made = (await Promise.all(requests)).flat();
        const tokens = made.reduce((sum, { token_ids }) => sum + token_ids.length, 0);
        rates.push((1000 * tokens) / (performance.now() - started));
        const { user, system } = process.cpuUsage(cpu);
        busy.push((1e6 * tokens) / (user + system));
      }
      const [best, median] = [Math.max(...rates), rates.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0];
      const clock = `${Math.round(best)} tok/s best, ${Math.round(median)} median`;
      const processor = `${Math.round(Math.max(...busy))} tok a second of processor`;
      console.log(`${name} ${weights}, ${batch} at once: ${clock}; ${processor}`);
    }
    await generator.close();
  }
}

const named = process.argv.slice(2).filter((name) => name in SHAPES);
console.log(`(${machine()}; threads: ${THREADS}; prompts of ${PROMPT} tokens, ${ROUNDS} rounds)`);
for (const name of named.length > 0 ? named : Object.keys(SHAPES)) {
  const shape = SHAPES[name];
  if (shape === undefined) continue;
  const before = await productRate();
  await measure(name, shape);
  console.log(`${name}: matrix product ${before.toFixed(0)} GFLOP/s before, ${(await productRate()).toFixed(0)} after`);
}
