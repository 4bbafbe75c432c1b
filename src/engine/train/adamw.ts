import { Graph } from "../graph/graph.ts";
import { add, div, mul, sqrt, sub } from "../graph/ops/basic.ts";
import { openInPlaceSession } from "../runtime/in-place-session.ts";
import { type SessionOptions, tensorMaker } from "../runtime/session.ts";
import type { ParameterStore } from "./parameter-store.ts";

export interface AdamWSettings {
  beta1: number;
  beta2: number;
  epsilon: number;
  weight_decay: number;
}

export interface AdamW {
  /**
   * One step with the gradients of the store, each multiplied by `scale` (for clipping). `step` counts from 1: it is what
   * the moments' bias is corrected by.
   */
  update(step: number, learning_rate: number, scale: number): Promise<void>;
  release(): Promise<void>;
}

/** Numbers that one run of the update is over: its intermediate values stay in the cache. */
const STRETCH = 1 << 17;

/**
 * AdamW (Loshchilov and Hutter 2019) in float32, in place, as PyTorch has it: decay p (1 - lr wd) first, then
 * p - lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps).
 */
export async function openAdamW(
  store: ParameterStore,
  settings: AdamWSettings,
  options: SessionOptions,
): Promise<AdamW> {
  const session = await openInPlaceSession(updateGraph(settings), options);
  const tensor = await tensorMaker();
  const scalar = (value: number) => tensor(Float32Array.of(value), []);
  const stretches = [...cut(0, store.decayed), ...cut(store.decayed, store.values.length)].map(([start, end]) => {
    const wrap = (array: Float32Array) => tensor(array.subarray(start, end), [end - start]);
    const tensors = { p: wrap(store.values), m: wrap(store.first_moments), v: wrap(store.second_moments) };
    return {
      decays: start < store.decayed,
      feeds: { ...tensors, g: wrap(store.gradients) },
      into: { "new p": tensors.p, "new m": tensors.m, "new v": tensors.v },
    };
  });
  return {
    async update(step, learning_rate, scale) {
      const scalars = {
        scale: scalar(scale),
        rate: scalar(learning_rate / (1 - settings.beta1 ** step)),
        correction: scalar(1 / Math.sqrt(1 - settings.beta2 ** step)),
      };
      const keep = scalar(1 - learning_rate * settings.weight_decay);
      const keep_all = scalar(1);
      for (const { decays, feeds, into } of stretches) {
        await session.run({ ...feeds, ...scalars, keep: decays ? keep : keep_all }, into);
      }
    },
    release: () => session.release(),
  };
}

function* cut(start: number, end: number): Generator<[number, number]> {
  for (let at = start; at < end; at += STRETCH) yield [at, Math.min(at + STRETCH, end)];
}

/**
 * Each new value is written over the old one. That is safe because the old value is read by one node only, and the new
 * one is made from what that node gives.
 */
function updateGraph({ beta1, beta2, epsilon }: AdamWSettings): Graph {
  const graph = new Graph();
  const array = (name: string) => graph.input(name, ["S"]);
  const scalar = (name: string) => graph.input(name, []);
  const gradient = mul(array("g"), scalar("scale"));
  const first = add(mul(array("m"), beta1), mul(gradient, 1 - beta1));
  const second = add(mul(array("v"), beta2), mul(mul(gradient, gradient), 1 - beta2));
  const size = add(mul(sqrt(second), scalar("correction")), epsilon);
  const direction = div(mul(first, scalar("rate")), size);
  graph.output("new m", first);
  graph.output("new v", second);
  graph.output("new p", sub(mul(array("p"), scalar("keep")), direction));
  return graph;
}
