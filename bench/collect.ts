/**
 * Collect against a model server on the loopback address, over real HTTP, every record fsynced: model calls a second,
 * peak memory, time to the first call, and with a latency the wall time against the ideal one.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { machine } from "./machine.ts";
import { measured } from "./measured.ts";

/** As many as the peers were measured with, and ten times that: what is left when the start no longer counts. */
const GAMES = [200, 2000];
const dir = ".tmp/bench/collect";
const config = "examples/tic-tac-toe/configs/config.yml";

interface Served {
  calls: number;
  first_call: number;
  peak: number;
}

/** Games from the empty board, the trained player X and O by turns. */
async function writeGames(count: number): Promise<string> {
  const path = `${dir}/games-${count}.jsonl`;
  const rows = Array.from({ length: count }, (_, index) =>
    JSON.stringify({ id: `game-${index}`, question: "Play a game.", trained_player: index % 2 === 0 ? "X" : "O" }),
  );
  await mkdir(dir, { recursive: true });
  await writeFile(path, `${rows.join("\n")}\n`);
  return path;
}

function ask<T>(server: ChildProcess): Promise<T> {
  return new Promise((resolve) => server.once("message", (message) => resolve(message as T)));
}

async function run(latency_ms: number, concurrency: number, games: string): Promise<void> {
  const server = fork(fileURLToPath(new URL("./collect-server.ts", import.meta.url)), [String(latency_ms)], {
    execArgv: ["--import", import.meta.resolve("jiti/register")],
  });
  const { url } = await ask<{ url: string }>(server);
  await rm(`${dir}/out`, { recursive: true, force: true });
  const result = await measured(
    [
      "dist/cli/main.js",
      "collect",
      config,
      "--json",
      "--quiet",
      "--no-cache",
      "--dataset",
      games,
      `--override=eval.general.output_dir=${dir}/out`,
      `--override=eval.general.max_concurrency=${concurrency}`,
    ],
    { TRAINING_LLM_URL: url, TRAINING_LLM_NAME: "stand-in" },
  );
  const answer = ask<Served>(server);
  server.send("stats");
  const served = await answer;
  server.disconnect();
  server.kill();

  const start = (served.first_call - result.started_at) / 1000;
  const { playing_seconds: playing, seconds } = JSON.parse(result.stdout) as {
    playing_seconds: number;
    seconds: number;
  };
  const line = [
    `${latency_ms} ms latency, concurrency ${concurrency}:`.padEnd(34),
    `${served.calls} calls in ${playing.toFixed(2)} s of playing = ${(served.calls / playing).toFixed(0)} calls/s`,
    `${seconds.toFixed(2)} s with scores and files = ${(served.calls / seconds).toFixed(0)} calls/s`,
    `first call after ${start.toFixed(2)} s`,
    `whole process ${result.seconds.toFixed(2)} s`,
    `peak ${result.peak_mb.toFixed(0)} MB`,
    `at most ${served.peak} requests at once`,
  ];
  // A turn's candidates go out together: a game takes as many latencies as it has model turns.
  if (latency_ms > 0) {
    const ideal = ((served.calls / 3) * (latency_ms / 1000)) / concurrency;
    line.push(`ideal ${ideal.toFixed(2)} s, ratio ${(playing / ideal).toFixed(2)}`);
  }
  console.log(line.join(" | "));
}

for (const count of GAMES) {
  console.log(`collect, ${count} games of tic-tac-toe, 3 candidates a turn (${machine()})`);
  const games = await writeGames(count);
  for (const [latency, concurrency] of [
    [0, 8],
    [0, 64],
    [50, 8],
    [50, 64],
  ] as const) {
    await run(latency, concurrency, games);
  }
}
await rm(dir, { recursive: true, force: true });
