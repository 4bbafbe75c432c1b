import { dimensionAt } from "../graph/dimensions.ts";
import type { Value } from "../graph/graph.ts";
import { transpose } from "../graph/ops/basic.ts";

/** Ranks that are multiplied at once, W below. */
export const LORA_GROUP = 16;

/**
 * What an adapter's scale is given as: products with a factor of exactly 1 take another way for one row than for several
 * and round differently there, so both of them have the factor 1/2.
 */
export const LORA_SCALE = 4;

/** The inputs that hold A and B of a linear layer's branch. */
export function branchInputs(linear: string): { down: string; up: string } {
  return { down: `${linear} lora_a`, up: `${linear} lora_b` };
}

/** The input that says what each rank counts for each token, in layers of so many parts. */
export function scalesName(parts: number): string {
  return `lora_scales.${parts}`;
}

/**
 * y + scale (x A^T) B^T (Hu et al. 2021) for x [T, in] and y [T, out], with the adapters of all rows side by side: A as
 * [groups, in, W], B as [ranks, out], and scales [T, ranks] that are 0 where a rank is not of the row's adapter. `parts`
 * says how many linear layers are packed in this one, each with ranks of its own.
 *
 * The first product is made in groups of 16 ranks: as one product its sums would be cut where the number of rows and
 * threads says, and a text would depend on its company in the last bits.
 */
export function loraBranch(x: Value, y: Value, linear: string, parts: number): Value {
  const { graph } = x;
  const names = branchInputs(linear);
  const tokens = dimensionAt(x.shape, 0);
  const ranks = `R${parts}`;
  const down = graph.input(names.down, [`G${parts}`, dimensionAt(x.shape, 1), "W"]);
  const up = graph.input(names.up, [ranks, dimensionAt(y.shape, 1)]);
  const scales = graph.once(scalesName(parts), () => graph.input(scalesName(parts), [tokens, ranks]));
  const half = { alpha: { float: 0.5 } };
  const grouped = graph.emit(
    "FusedMatMul",
    [x, down],
    { type: x.type, shape: [`G${parts}`, tokens, "W"] },
    { domain: "com.microsoft", attributes: half },
  );
  // 0: the dimension that is there.
  const side_by_side = [transpose(grouped, [1, 0, 2]), graph.integers([0, -1])];
  const low = graph.emit("Reshape", side_by_side, scales);
  return graph.emit("Gemm", [graph.emit("Mul", [low, scales], scales), up, y], y, { attributes: half });
}
