import type { Value } from "../graph.ts";
import { add, mul, sigmoid, sub, term } from "./basic.ts";
import { afterwards } from "./order.ts";

/**
 * silu(gate) * up with silu(x) = x sigmoid(x) (Shazeer 2020), all of one shape. What the derivative by `gate` is made of is
 * made at once when `early`, while all of it is in the cache: onnxruntime would make it where it is used, long after. It takes
 * the place of what it is made of: as much is kept until then, or less.
 */
export function swiglu(gate: Value, up: Value, { early = false } = {}): Value {
  const { graph } = gate;
  const { made } = graph.recorded(() => {
    const open = sigmoid(gate);
    const silu = mul(gate, open);
    const y = mul(silu, up);
    // silu' = s + silu (1 - s), and so up silu' = y + s (up - y)
    const slope = add(mul(sub(up, y), open), y);
    return { silu, slope, y: early && gate.needs_gradient ? afterwards(y, slope) : y };
  });
  const { silu, slope, y } = made;
  return graph.differentiable(y, [gate, up], (gradient) => [
    term(() => mul(gradient, slope)),
    term(() => mul(gradient, silu)),
  ]);
}
