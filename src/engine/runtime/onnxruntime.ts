import { EXIT, messageOf, PairwrightError } from "../../lib/errors.ts";

type OnnxRuntime = typeof import("onnxruntime-node");

let loading: Promise<OnnxRuntime> | undefined;

/**
 * The native library, loaded at its first use: nothing but the engine needs it, and it is an optional dependency.
 * Fails with `engine_missing` where it is not installed or has no binary for this machine (as on Intel Macs).
 */
export function onnxRuntime(): Promise<OnnxRuntime> {
  loading ??= import("onnxruntime-node").then(
    // A CommonJS module: its names stand on `default`, and on the namespace only as far as Node could guess them.
    (module) => (module as { default?: OnnxRuntime }).default ?? module,
    (error: unknown) => {
      loading = undefined;
      throw new PairwrightError({
        code: "engine_missing",
        where: "onnxruntime-node",
        what: `the engine's library cannot be loaded on ${process.platform}-${process.arch} (${messageOf(error, 200)})`,
        fix: "npm install onnxruntime-node@1.30 --ignore-scripts (the binary for CPUs is inside the package)",
        exit_code: EXIT.usage,
        cause: error,
      });
    },
  );
  return loading;
}
