/**
 * `npm run demo`: real games through the whole collect path, on this machine alone.
 *
 * No trained model ships with the example yet. What answers here is `stand-in.ts`, which plays at random, behind a real
 * server on the loopback address; the program does not know the difference, and you should.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { startModelServer } from "pairwright/testing";
import { standInReply } from "./stand-in.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const config = "examples/tic-tac-toe/configs/config.yml";

const server = await startModelServer({ reply: standInReply });
console.error(
  "The policy of this demo is a stand-in that plays at random: no trained model ships with the example yet.",
);
console.error(`It is served at ${server.url}. Now running: pairwright collect ${config}\n`);

const collect = spawn(
  process.execPath,
  ["dist/cli/main.js", "collect", config, "--no-cache", ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, TRAINING_LLM_URL: server.url, TRAINING_LLM_NAME: "stand-in" },
  },
);
const pass = (signal: NodeJS.Signals) => collect.kill(signal);
process.on("SIGINT", () => pass("SIGINT"));
process.on("SIGTERM", () => pass("SIGTERM"));

process.exitCode = await new Promise<number>((resolve) => collect.on("close", (code) => resolve(code ?? 1)));
await server.close();
