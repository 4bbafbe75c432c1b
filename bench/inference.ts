/**
 * Chat requests against the embedded platform with the example's base model, over real HTTP: one at a time and 256 at once,
 * with the engine's own rate for the same prompts beside it (a process of its own, as many at once). The server has its
 * process, the model its own, and the client this one: on two cores they share. Call: `jiti bench/inference.ts [SECONDS]`
 * after `npm run build`; 60 seconds are what the figures in notes are from.
 */
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Board, EMPTY_BOARD, legalMoves, opponentOf, type Player, play } from "../examples/tic-tac-toe/board.ts";
import { movePrompt } from "../examples/tic-tac-toe/prompt.ts";
import { machine } from "./machine.ts";

const SECONDS = Number(process.argv.slice(2).find((given) => /^\d+$/.test(given)) ?? 10);
const AT_ONCE = 256;
const MODEL_DIR = fileURLToPath(new URL("../examples/tic-tac-toe/base-model", import.meta.url));
const CLI = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

interface Outcome {
  requests: number;
  tokens: number;
  errors: number;
  seconds: number;
  /** Milliseconds of each request, in order. */
  latencies: number[];
  /** Processor time of this process. */
  cpu_seconds: number;
}

/** Positions of games in which both sides move at random, by a small linear generator: the same in every run. */
function conversations(count: number) {
  let state = 1;
  const draw = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state % below;
  };
  return Array.from({ length: count }, () => {
    let board: Board = EMPTY_BOARD;
    let player: Player = 1;
    for (let moves = draw(6); moves > 0; moves -= 1) {
      const legal = legalMoves(board);
      const move = legal[draw(legal.length)];
      if (move === undefined) break;
      board = play(board, move, player);
      player = opponentOf(player);
    }
    return movePrompt({ board, player });
  });
}

/** Keeps `at_once` calls running for a time. */
async function load(at_once: number, seconds: number, call: (index: number) => Promise<number>): Promise<Outcome> {
  const outcome: Outcome = { requests: 0, tokens: 0, errors: 0, seconds: 0, latencies: [], cpu_seconds: 0 };
  const cpu = process.cpuUsage();
  const began = performance.now();
  let index = 0;
  async function lane(): Promise<void> {
    while (performance.now() - began < 1000 * seconds) {
      const from = performance.now();
      index += 1;
      try {
        const tokens = await call(index);
        outcome.tokens += tokens;
        outcome.requests += 1;
        outcome.latencies.push(performance.now() - from);
      } catch {
        outcome.errors += 1;
      }
    }
  }
  await Promise.all(Array.from({ length: at_once }, lane));
  outcome.seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  outcome.cpu_seconds = (user + system) / 1e6;
  outcome.latencies.sort((a, b) => a - b);
  return outcome;
}

function show(name: string, { requests, tokens, errors, seconds, latencies }: Outcome): number {
  const at = (share: number) => (latencies[Math.floor(share * latencies.length)] ?? Number.NaN).toFixed(1);
  const rate = tokens / seconds;
  console.log(
    `${name}: ${(requests / seconds).toFixed(0)} requests/s, ${rate.toFixed(0)} tokens/s, ` +
      `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, errors ${errors}`,
  );
  return rate;
}

/** The engine alone, in this process, with the settings that the platform gives it: what the platform cannot exceed. */
async function engineAlone(seconds: number): Promise<Outcome> {
  const dist = <T>(path: string) => import(new URL(`../dist/engine/${path}.js`, import.meta.url).href) as Promise<T>;
  const { openTextService } =
    await dist<typeof import("../src/engine/generate/text-service.ts")>("generate/text-service");
  const service = await openTextService({ model_dir: MODEL_DIR, threads: 1, max_batch: 128 });
  const prompts = conversations(200);
  const call = async (index: number) => {
    const messages = prompts[index % prompts.length] ?? [];
    const reply = await service.generate({ prompt: { messages }, seed: index, max_tokens: 128 });
    return reply.completions.reduce((sum, { completion_tokens }) => sum + completion_tokens, 0);
  };
  await load(AT_ONCE, 0.5, call);
  const outcome = await load(AT_ONCE, seconds, call);
  await service.close();
  return outcome;
}

if (process.send !== undefined) {
  // A long list of latencies takes its time to be sent.
  process.send(await engineAlone(SECONDS), () => process.disconnect());
} else {
  await main();
}

async function main(): Promise<void> {
  console.log(`(${machine()}; ${SECONDS} s each)`);
  const engine = await inChild();
  const alone = show(`engine alone, ${AT_ONCE} at once`, engine);
  const dir = await mkdtemp(join(tmpdir(), "pairwright-bench-"));
  const server = spawn(process.execPath, [CLI, "platform", "start", "--json", "--port", "0", "--data", dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const [first] = (await once(server.stdout, "data")) as [Buffer];
    const { nim_url } = JSON.parse(first.toString()) as { nim_url: string };
    const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
    const list = (await (await fetch(`${nim_url}/models`)).json()) as { data: { id: string }[] };
    const bodies = conversations(200).map((messages) => ({ model: list.data[0]?.id, messages, max_tokens: 128 }));
    const call = (index: number) => chat(nim_url, agent, { ...bodies[index % bodies.length], seed: index });
    await load(AT_ONCE, 1, call);
    show("platform, one at a time", await load(1, SECONDS / 2, call));
    const before = { server: cpuOf(server.pid), model: cpuOf(childOf(server.pid)) };
    const outcome = await load(AT_ONCE, SECONDS, call);
    const together = show(`platform, ${AT_ONCE} at once`, outcome);
    const micros = (seconds: number, { requests }: Outcome) => `${((1e6 * seconds) / requests).toFixed(0)} µs`;
    console.log(
      `processor time a request: engine alone ${micros(engine.cpu_seconds, engine)}; ` +
        `its process here ${micros(cpuOf(childOf(server.pid)) - before.model, outcome)}, ` +
        `server ${micros(cpuOf(server.pid) - before.server, outcome)}, ` +
        `this client ${micros(outcome.cpu_seconds, outcome)}`,
    );
    console.log(`share of the engine's rate: ${((100 * together) / alone).toFixed(0)} %`);
    agent.destroy();
  } finally {
    server.kill("SIGTERM");
    await once(server, "exit");
    await rm(dir, { recursive: true, force: true });
  }
}

/** Seconds of processor time, where the system tells (Linux). */
function cpuOf(pid: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return Number.NaN;
  }
}

/** The model's process is the last that the server started. */
function childOf(pid: number | undefined): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").at(-1));
  } catch {
    return undefined;
  }
}

async function inChild(): Promise<Outcome> {
  const child = fork(fileURLToPath(import.meta.url), [String(SECONDS)], {
    execArgv: ["--import", import.meta.resolve("jiti/register")],
  });
  const [outcome] = (await once(child, "message")) as [Outcome];
  return outcome;
}

/** One request; gives the tokens of its reply. */
function chat(nim_url: string, agent: Agent, body: object): Promise<number> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
    const sent = request(`${nim_url}/chat/completions`, { method: "POST", agent, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        if (answer.statusCode !== 200) return reject(new Error(`${answer.statusCode}: ${text}`));
        resolve((JSON.parse(text) as { usage: { completion_tokens: number } }).usage.completion_tokens);
      });
    });
    sent.on("error", reject);
    sent.end(text);
  });
}
