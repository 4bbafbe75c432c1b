import { seededRandom } from "../../../lib/random.ts";
import { openSession, tensorMaker } from "../../runtime/session.ts";
import { gradientsOf } from "../gradient.ts";
import { Graph, type Value } from "../graph.ts";
import { mul, reduceSum } from "../ops/basic.ts";

export interface Input {
  shape: readonly number[];
  data: Float64Array;
}

/** Numbers in (-1, 1), never nearer to 0 than 0.05: a kink there would spoil the comparison. */
export function someNumbers(shape: readonly number[], seed: number): Input {
  const random = seededRandom(seed);
  const data = Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    const value = 2 * random() - 1;
    return value + Math.sign(value) * 0.05;
  });
  return { shape, data };
}

export type NumberInputs = Record<string, Input>;
export type IntegerInputs = Record<string, { shape: readonly number[]; data: BigInt64Array }>;

/**
 * The largest difference between the graph's gradients and central finite differences in float64, over all trainable
 * numbers, relative to the largest gradient of the same tensor. `build` gives any tensor; it is made a loss by fixed weights.
 */
export async function gradientError(
  inputs: NumberInputs,
  build: (values: Record<string, Value>) => Value,
  { integers = {}, fixed = {}, step = 1e-5 }: { integers?: IntegerInputs; fixed?: NumberInputs; step?: number } = {},
): Promise<number> {
  const graph = new Graph({ float: "float64" });
  const values: Record<string, Value> = {};
  for (const [name, { shape }] of Object.entries(inputs)) values[name] = graph.input(name, shape, { trainable: true });
  for (const [name, { shape }] of Object.entries(fixed)) values[name] = graph.input(name, shape);
  for (const [name, { shape }] of Object.entries(integers)) values[name] = graph.input(name, shape, { type: "int64" });
  const y = build(values);
  const weights = someNumbers(y.shape.map(Number), 99);
  const loss = reduceSum(mul(y, graph.constant(weights.data, weights.shape)));
  const names = Object.keys(inputs);
  const gradients = gradientsOf(
    loss,
    names.map((name) => values[name]!),
  );
  graph.output("loss", loss);
  gradients.forEach((gradient, index) => graph.output(`gradient ${names[index]}`, gradient));

  const tensor = await tensorMaker();
  const session = await openSession(graph, { threads: 1 });
  const feeds = Object.fromEntries(
    Object.entries({ ...inputs, ...fixed, ...integers }).map(([name, { data, shape }]) => [name, tensor(data, shape)]),
  );
  const run = async () => await session.run(feeds);
  const lossNow = async () => Number(((await run()).loss?.data as Float64Array)[0]);

  const results = await run();
  let worst = 0;
  for (const [name, { data }] of Object.entries(inputs)) {
    const analytic = Float64Array.from(results[`gradient ${name}`]?.data as Float64Array);
    const size = Math.max(1e-3, ...analytic.map(Math.abs));
    for (let i = 0; i < data.length; i += 1) {
      const value = data[i]!;
      data[i] = value + step;
      const above = await lossNow();
      data[i] = value - step;
      const below = await lossNow();
      data[i] = value;
      worst = Math.max(worst, Math.abs((above - below) / (2 * step) - analytic[i]!) / size);
    }
  }
  await session.release();
  return worst;
}
