import { expect, test } from "vitest";
import { seededRandom } from "../../lib/random.ts";
import { updateWeights } from "./adamw.ts";
import { createParameterStore } from "./parameter-store.ts";

test("five steps are those of AdamW in float64, matrices decayed and norms not", () => {
  const random = seededRandom(1);
  const numbers = (count: number) => Float32Array.from({ length: count }, () => random() - 0.5);
  const store = createParameterStore(
    new Map([
      ["norm", { shape: [5], data: numbers(5) }],
      ["matrix", { shape: [3, 7], data: numbers(21) }],
      ["table", { shape: [2, 70_000], data: numbers(140_000) }],
    ]),
  );
  const settings = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1 };
  const plain = new Map(
    store.names.map((name) => {
      const p = Float64Array.from(store.view("values", name).data);
      return [name, { p, m: new Float64Array(p.length), v: new Float64Array(p.length) }];
    }),
  );
  for (let step = 1; step <= 5; step += 1) {
    const rate = 0.01 / step;
    const scale = 0.5;
    for (const [name, { p, m, v }] of plain) {
      const { data } = store.view("gradients", name);
      for (let i = 0; i < p.length; i += 1) {
        data[i] = random() - 0.3;
        const g = data[i]! * scale;
        m[i] = 0.9 * m[i]! + 0.1 * g;
        v[i] = 0.95 * v[i]! + 0.05 * g * g;
        const direction = m[i]! / (1 - 0.9 ** step) / (Math.sqrt(v[i]! / (1 - 0.95 ** step)) + 1e-8);
        p[i] = p[i]! * (name === "norm" ? 1 : 1 - rate * 0.1) - rate * direction;
      }
    }
    updateWeights(store, settings, { step, learning_rate: rate, scale });
  }
  let worst = 0;
  for (const [name, { p }] of plain) {
    store.view("values", name).data.forEach((value, i) => {
      worst = Math.max(worst, Math.abs(value - p[i]!));
    });
  }
  expect(worst).toBeLessThan(1e-6);
  expect(worst).toBeGreaterThan(0);
});
