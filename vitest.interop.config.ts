import { defineConfig } from "vitest/config";
import plain from "./vitest.config.ts";

/** Tests against other people's programs. They make a Python environment of their own and take minutes: `npm run interop`. */
export default defineConfig({
  ...plain,
  test: {
    include: ["tests/interop/**/*.test.ts"],
    // Each of them fills the machine by itself.
    fileParallelism: false,
    testTimeout: 900_000,
    hookTimeout: 3_600_000,
  },
});
