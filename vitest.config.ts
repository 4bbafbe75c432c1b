import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    alias: {
      "pairwright/testing": new URL("./src/testing/index.ts", import.meta.url).pathname,
      "pairwright/engine": new URL("./src/engine/index.ts", import.meta.url).pathname,
      pairwright: new URL("./src/index.ts", import.meta.url).pathname,
    },
  },
  test: {
    include: ["src/**/*.test.ts", "tests/**/*.test.ts", "examples/**/*.test.ts"],
    exclude: ["tests/interop/**", "node_modules/**"],
    testTimeout: 30_000,
    // What is built is loaded as it is.
    server: { deps: { external: [/\/dist\//] } },
    // Most of them wait for a process of their own: one worker would leave the second of two cores idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});
