/**
 * How fast the demo's games are collected against the embedded platform, beside the engine alone: the same replies to the same
 * prompts, all asked for at once, in a process of its own with the settings that the platform gives the model. On two cores the
 * command, the platform and the model share; the engine alone has one of them for itself.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Message } from "../src/records/message.ts";
import { machine } from "./machine.ts";
import { measured } from "./measured.ts";

const RUNS = 3;
/** What four rounds of the demo play: there, too, one process plays all rounds, and is warm after the first. */
const REPS = "12";
const STEP = "dpo_candidate_move";
const dir = resolve(".tmp/bench/collect-rate");
const example = resolve("examples/tic-tac-toe");
const config = `${dir}/config.yml`;
const CONFIG = `
base: ${example}/configs/demo.yml
eval:
  general:
    output_dir: ${dir}/out
    dataset: {file_path: ${example}/data/demo.jsonl, filter: {allowlist: {field: {part: [learn]}}}}
`;

/** One request for several replies, each with its seed. */
interface Asked {
  messages: Message[];
  temperature: number;
  seeds: number[];
}

/** What the run's candidates were asked with: one request for each function of a turn. */
async function requestsOf(path: string): Promise<Asked[]> {
  const requests: Asked[] = [];
  for (const line of (await readFile(path, "utf8")).split("\n")) {
    if (line === "") continue;
    const { steps } = JSON.parse(line) as { steps: { payload: Record<string, never> }[] };
    let open: (Asked & { of: string }) | undefined;
    for (const { payload } of steps) {
      const { name, data, metadata } = payload as unknown as {
        name: string;
        data: { turn_id: string; input: Message[] };
        metadata: { seed: number; model: string | null; candidate_index: number };
      };
      if (name !== STEP || metadata.model === null) continue;
      const { candidate_index, seed } = metadata;
      // The first one is played; two lots of eight are to learn from.
      const of = `${data.turn_id} ${Math.ceil(candidate_index / 8)}`;
      if (open?.of !== of) {
        open = { of, messages: data.input, temperature: candidate_index === 0 ? 0 : 1, seeds: [] };
        requests.push(open);
      }
      open.seeds.push(seed);
    }
  }
  return requests;
}

interface Measured {
  replies: number;
  seconds: number;
}

/** A module of the built program: what is started from source is compiled as it runs, which costs the platform a tenth. */
const built = (path: string) => import(new URL(`../dist/${path}.js`, import.meta.url).href);

async function engineAlone(requests: readonly Asked[]): Promise<Measured> {
  const { openTextService }: typeof import("../src/engine/generate/text-service.ts") =
    await built("engine/generate/text-service");
  const service = await openTextService({ model_dir: `${example}/base-model`, threads: 1, max_batch: 128 });
  const ask = ({ messages, temperature, seeds }: Asked) =>
    service.generate({ prompt: { messages }, n: seeds.length, seeds, temperature, max_tokens: 16 });
  await Promise.all(requests.slice(0, 200).map(ask));
  const began = performance.now();
  const replies = (await Promise.all(requests.map(ask))).reduce((sum, { completions }) => sum + completions.length, 0);
  const seconds = (performance.now() - began) / 1000;
  await service.close();
  return { replies, seconds };
}

async function engineInChild(path: string): Promise<Measured> {
  const child = fork(fileURLToPath(import.meta.url), [path], {
    execArgv: ["--import", import.meta.resolve("jiti/register")],
  });
  const [measured] = (await once(child, "message")) as [Measured];
  return measured;
}

async function main(): Promise<void> {
  console.log(machine());
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  await writeFile(config, CONFIG);
  const { useEmbeddedPlatform }: typeof import("../src/pipeline/embedded-platform.ts") =
    await built("pipeline/embedded-platform");
  const used = await useEmbeddedPlatform({ dir: `${dir}/data/pairwright`, models: {} });
  const [collecting, generating]: [Measured, Measured] = [nothing(), nothing()];
  try {
    for (let run = 0; run < RUNS; run += 1) {
      const args = ["dist/cli/main.js", "collect", config, "--reps", REPS, "--no-cache", "--json", "--quiet"];
      const { stdout } = await measured([...args, "--seed", String(run)], { XDG_DATA_HOME: `${dir}/data` });
      const { run_dir, playing_seconds } = JSON.parse(stdout) as { run_dir: string; playing_seconds: number };
      const { replies, seconds } = await engineInChild(`${run_dir}/runs.jsonl`);
      tell(`run ${run + 1}`, { replies, seconds: playing_seconds }, { replies, seconds });
      add(collecting, { replies, seconds: playing_seconds });
      add(generating, { replies, seconds });
    }
    tell("all runs", collecting, generating);
  } finally {
    used.release();
  }
}

function nothing(): Measured {
  return { replies: 0, seconds: 0 };
}

function add(sum: Measured, { replies, seconds }: Measured): void {
  sum.replies += replies;
  sum.seconds += seconds;
}

function tell(what: string, collecting: Measured, generating: Measured): void {
  const [collected, alone] = [collecting, generating].map(({ replies, seconds }) => replies / seconds) as [
    number,
    number,
  ];
  const share = `${((100 * collected) / alone).toFixed(0)} %`;
  console.log(
    `${what}: ${collecting.replies} replies collected at ${collected.toFixed(0)}/s; the engine alone ${alone.toFixed(0)}/s: ${share}`,
  );
}

if (process.send === undefined) await main();
else process.send(await engineAlone(await requestsOf(process.argv[2] ?? "")), () => process.disconnect());
