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
    hookTimeout: 30_000,
    // A worker keeps the modules that its files share, instead of loading them anew for each: a sixth of all the time.
    isolate: false,
    // What is built is loaded as it is.
    server: { deps: { external: [/\/dist\//] } },
    // Some wait for a process of their own, or for time to pass: as many workers as cores would leave them idle.
    maxWorkers: Math.max(3, availableParallelism() - 1),
  },
});
