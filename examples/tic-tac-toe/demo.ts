/**
 * `npm run demo [-- --rounds N] [--seed N] [--json]`: `pairwright finetune configs/demo.yml` on this machine alone, and what came of it.
 *
 * The policy begins as `base-model/`, which knows the rules and moves at random. A platform is started for the demo's time,
 * with its data under `.tmp/`, and `finetune` finds it there. The figures at the end are exact, over every position and every line.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { lstat, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { demoFigures, demoTable } from "./demo-figures.ts";
import { evaluateModelPlays } from "./evaluate-model-report.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const BASE = fileURLToPath(new URL("base-model", import.meta.url));
const WORK = join(ROOT, ".tmp/tic-tac-toe");
const PROGRAM = join(ROOT, "dist/cli/main.js");
const env = { ...process.env, XDG_DATA_HOME: join(WORK, "data") };

const began = performance.now();
const args = process.argv.slice(2);
const asJson = args.includes("--json");
const given = args.filter((flag) => flag !== "--json");
const running: ChildProcess[] = [];
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => running.at(-1)?.kill(signal));

const { origin, stop } = await startPlatform();
try {
  const output_dir = join(WORK, "demo", new Date().toISOString().replace(/[:.]/g, "-"));
  const finetune = ["finetune", "examples/tic-tac-toe/configs/demo.yml", "--reps", "3", "--json", "--no-cache"];
  const result = await pairwright([...finetune, "-o", "finetuning.output_dir", output_dir, ...given]);
  if (result === undefined) process.exitCode = 1;
  else await tell(result);
} finally {
  await stop();
}

interface Finetuned {
  /** Of several rounds. */
  rounds?: { champion: { round: number; model: string }; rounds: unknown[] };
  job?: { model: string | null };
  run_dir: string;
}

async function tell({ rounds, job, run_dir }: Finetuned): Promise<void> {
  const only = { round: job?.model ? 1 : 0, model: job?.model ?? "" };
  const champion = rounds?.champion ?? only;
  const played = rounds?.rounds.length ?? 1;
  process.stderr.write(`\nEvaluating the first model and the champion (round ${champion.round}) in every position…\n`);
  const trained = champion.round === 0 ? BASE : await download(champion.model);
  const [before, after] = [await figuresOf(BASE), await figuresOf(trained)];
  const seconds = (performance.now() - began) / 1000;
  if (asJson) {
    process.stdout.write(`${JSON.stringify({ before, after, rounds: played, seconds, run_dir })}\n`);
  } else {
    process.stdout.write(`\n${demoTable(before, after)}\n`);
    process.stdout.write(
      `\n${played} ${played === 1 ? "round" : "rounds"}, ${Math.round(seconds)} s; the model: ${trained}\n`,
    );
    const size = ((await bytesBelow(WORK)) / 2 ** 30).toFixed(1);
    process.stdout.write(`All that was played and trained takes ${size} GB, to look at or to remove: ${WORK}\n`);
  }
}

async function figuresOf(dir: string) {
  const { report, plays } = await evaluateModelPlays(dir);
  return demoFigures(report, plays);
}

/** Of files that have several names the bytes count once. */
async function bytesBelow(dir: string): Promise<number> {
  const sizes = new Map<number, number>();
  for (const name of await readdir(dir, { recursive: true })) {
    // The platform still runs: what it has taken away meanwhile takes no room.
    const file = await lstat(join(dir, name)).catch(() => undefined);
    if (file !== undefined) sizes.set(file.ino, file.size);
  }
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

/** A model's files, as any hub client gets them. */
async function download(model: string): Promise<string> {
  const [id = "", revision = "main"] = model.split("@");
  const dir = join(WORK, "champion");
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  const tree = await fetch(`${origin}/v1/hf/api/models/${id}/tree/${encodeURIComponent(revision)}`);
  for (const { type, path } of (await tree.json()) as { type: string; path: string }[]) {
    if (type !== "file") continue;
    const file = await fetch(`${origin}/v1/hf/${id}/resolve/${encodeURIComponent(revision)}/${path}`);
    await writeFile(join(dir, path), Buffer.from(await file.arrayBuffer()));
  }
  return dir;
}

async function startPlatform(): Promise<{ origin: string; stop(): Promise<void> }> {
  const flags = ["platform", "start", "--port", "0", "--data", join(WORK, "data/pairwright"), "--json", "--quiet"];
  // A process group of its own: Ctrl-C is for `finetune` first.
  const child = spawn(process.execPath, [PROGRAM, ...flags], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  const ended = once(child, "exit");
  const end = () => void child.kill("SIGTERM");
  process.once("exit", end);
  const said = await Promise.race([once(child.stdout, "data"), ended.then(() => undefined)]);
  if (said === undefined) throw new Error("the platform did not start; what it says is above");
  const facts = JSON.parse(String(said[0])) as { entity_host: string };
  return {
    origin: facts.entity_host,
    async stop() {
      end();
      await ended;
    },
  };
}

/** Runs a command of the built program; gives what it prints with `--json`, undefined where it failed. */
async function pairwright(flags: readonly string[]): Promise<Finetuned | undefined> {
  const child = spawn(process.execPath, [PROGRAM, ...flags], { cwd: ROOT, env, stdio: ["inherit", "pipe", "inherit"] });
  running.push(child);
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, "close")) as [number | null];
  running.pop();
  return code === 0 ? (JSON.parse(Buffer.concat(chunks).toString("utf8")) as Finetuned) : undefined;
}
