import type { Value } from "../graph.ts";
import { exp, mul, reduceSum, sub, term } from "./basic.ts";

/** e^x over its sum, along the last axis. */
export function softmax(x: Value): Value {
  const attributes = { axis: -1 };
  const y = x.graph.emit("Softmax", [x], { type: x.type, shape: x.shape }, { attributes });
  return x.graph.differentiable(y, [x], (gradient) => [
    term(() => mul(y, sub(gradient, reduceSum(mul(gradient, y), [-1], { keep: true })))),
  ]);
}

/** x minus the logarithm of the sum of e^x, along the last axis. */
export function logSoftmax(x: Value): Value {
  const attributes = { axis: -1 };
  const y = x.graph.emit("LogSoftmax", [x], { type: x.type, shape: x.shape }, { attributes });
  return x.graph.differentiable(y, [x], (gradient) => [
    term(() => sub(gradient, mul(exp(y), reduceSum(gradient, [-1], { keep: true })))),
  ]);
}
