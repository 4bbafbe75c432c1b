import { dimensionAt } from "../dimensions.ts";
import type { Value } from "../graph.ts";
import { add, concat, mul, neg, reshape, slice, sub, term } from "./basic.ts";

/** Tables of rotary positions: cosines and sines [positions, head_dim / 2], and the position of every token [B, T]. */
export interface Rotary {
  cos: Value;
  sin: Value;
  positions: Value;
}

/**
 * Rotates each head's halves by the angle of the token's position (Su et al. 2021, in the half-split form that Hugging
 * Face's Llama uses): x [B, T, heads * head_dim]. A rotation's derivative is the rotation back.
 */
export function rotate(x: Value, rotary: Rotary, heads: number): Value {
  const { graph } = x;
  const y = x.type === "float32" ? fused(x, rotary) : graph.withoutGradient(() => composed(x, rotary, heads));
  return graph.differentiable(y, [x], (gradient) => [term(() => rotate(gradient, back(rotary), heads))]);
}

function back({ cos, sin, positions }: Rotary): Rotary {
  return { cos, sin: sin.graph.once(`minus ${sin.name}`, () => neg(sin)), positions };
}

function fused(x: Value, { cos, sin, positions }: Rotary): Value {
  const attributes = { interleaved: 0 };
  const inputs = [x, positions, cos, sin];
  return x.graph.emit("RotaryEmbedding", inputs, x, { domain: "com.microsoft", attributes });
}

function composed(x: Value, { cos, sin, positions }: Rotary, heads: number): Value {
  const [B, T, width] = [0, 1, 2].map((axis) => dimensionAt(x.shape, axis));
  const half = Number(width) / heads / 2;
  const at = (table: Value) => {
    const shape = [...positions.shape, half];
    const rows = x.graph.emit("Gather", [table, positions], { type: x.type, shape }, { attributes: { axis: 0 } });
    return reshape(rows, [B ?? 1, T ?? 1, 1, half]);
  };
  const split = reshape(x, [B ?? 1, T ?? 1, heads, 2 * half]);
  const [first, second] = [slice(split, 3, 0, half), slice(split, 3, half, 2 * half)];
  const [c, s] = [at(cos), at(sin)];
  const turned = [sub(mul(first, c), mul(second, s)), add(mul(second, c), mul(first, s))];
  return reshape(concat(turned, 3), x.shape);
}
