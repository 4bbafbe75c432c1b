import { spawnSync } from "node:child_process";

/** All there is to check: `npm run check`; with `--long` also the long forms of the load and fault tests. */

const STEPS = ["lint", "types", "test", "interop"];
const LONG = ["vitest", "run", "tests/load", "--testTimeout", "3600000"];

function perform(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): void {
  const { status, error } = spawnSync(program, args, { stdio: "inherit", env, shell: process.platform === "win32" });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

for (const step of STEPS) perform("npm", ["run", "--silent", step]);
if (process.argv.includes("--long")) perform("npx", LONG, { ...process.env, PAIRWRIGHT_LONG: "1" });
