/**
 * `npm run demo`: real games through the whole collect path, on this machine alone.
 *
 * The player is `base-model/`, run by the engine behind a real server on the loopback address; it knows the rules and moves at
 * random. Where the engine's library is not installed, `stand-in.ts` answers instead, which is no model.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { PairwrightError } from "pairwright";
import { type ReplyFunction, startModelServer } from "pairwright/testing";
import { openLocalModel } from "./local-model.ts";
import { standInReply } from "./stand-in.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const config = "examples/tic-tac-toe/configs/config.yml";

const player = await openPlayer();
const server = await startModelServer({ reply: player.reply });
console.error(player.who);
console.error(`It is served at ${server.url}. Now running: pairwright collect ${config}\n`);

const collect = spawn(
  process.execPath,
  ["dist/cli/main.js", "collect", config, "--no-cache", ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, TRAINING_LLM_URL: server.url, TRAINING_LLM_NAME: player.name },
  },
);
const pass = (signal: NodeJS.Signals) => collect.kill(signal);
process.on("SIGINT", () => pass("SIGINT"));
process.on("SIGTERM", () => pass("SIGTERM"));

process.exitCode = await new Promise<number>((resolve) => collect.on("close", (code) => resolve(code ?? 1)));
await server.close();
await player.close();

interface Player {
  name: string;
  who: string;
  reply: ReplyFunction;
  close(): Promise<void>;
}

async function openPlayer(): Promise<Player> {
  try {
    const model = await openLocalModel(fileURLToPath(new URL("base-model", import.meta.url)));
    return {
      name: "base-model",
      who: "The policy of this demo is the example's base model, run here: it knows the rules and moves at random.",
      reply: (request) => model.reply(request),
      close: async () => model[Symbol.asyncDispose](),
    };
  } catch (error) {
    if (!PairwrightError.is(error) || error.code !== "engine_missing") throw error;
    return {
      name: "stand-in",
      who: `The policy of this demo is a stand-in and no model, as ${error.what}.\nTo play with the base model: ${error.fix}`,
      reply: standInReply,
      close: async () => undefined,
    };
  }
}
