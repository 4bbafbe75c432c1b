import type { Value } from "../graph.ts";
import { add, mul, sigmoid, sub, term } from "./basic.ts";

/** silu(gate) * up with silu(x) = x sigmoid(x) (Shazeer 2020), all of one shape. */
export function swiglu(gate: Value, up: Value): Value {
  const { graph } = gate;
  const { made } = graph.recorded(() => {
    const open = sigmoid(gate);
    const silu = mul(gate, open);
    return { open, silu, y: mul(silu, up) };
  });
  const { open, silu, y } = made;
  return graph.differentiable(y, [gate, up], (gradient) => [
    // silu' = s + x s (1 - s) = s + silu (1 - s)
    term(() => mul(mul(gradient, up), add(open, sub(silu, mul(silu, open))))),
    term(() => mul(gradient, silu)),
  ]);
}
