/**
 * Pairs from stored runs, disk to disk: candidates a second and peak memory of a child process that runs the built
 * `dist`. The runs are synthetic: 10 turns of 4 candidates an example, prompts of 240 characters that differ from turn
 * to turn, every score different, all pairs. Each build writes into an empty folder, but for the last one: to replace the
 * files of a build before takes the system's own time, a tenth of all, for giving their blocks back and taking new ones.
 * Call: `jiti bench/pairs.ts [CANDIDATES…]` after `npm run build`.
 */
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";

const TURNS = 10;
const CANDIDATES = 4;
const dist = (path: string) => new URL(`../dist/${path}`, import.meta.url).href;

function step(example: number, turn: number, candidate: number) {
  const position = `position ${example}/${turn} `;
  return {
    parent_id: "root",
    function_ancestry: { function_id: "workflow", function_name: "workflow", parent_id: null, parent_name: null },
    payload: {
      event_type: "TTC_END",
      event_timestamp: 1_760_000_000 + turn,
      name: "dpo_candidate_move",
      metadata: { is_selected: candidate === 0, seed: example * 31 + turn * 7 + candidate, model: "policy" },
      data: {
        turn_id: `turn_${turn}_${example}`,
        turn_index: turn,
        candidate_index: candidate,
        input: [{ role: "user", content: position + "board ".repeat(40).slice(0, 240 - position.length) }],
        output: `<move>${turn} ${candidate} ${example}</move>`,
        score: ((turn * 31 + candidate * 17) % 97) / 97,
      },
      usage_info: { token_usage: { prompt_tokens: 60, completion_tokens: 9, total_tokens: 69 } },
      UUID: `${example}-${turn}-${candidate}`,
    },
  };
}

function writeRuns(path: string, candidates: number): void {
  const file = openSync(path, "w");
  for (let example = 0; example < candidates / (TURNS * CANDIDATES); example += 1) {
    const steps = [];
    for (let turn = 0; turn < TURNS; turn += 1) {
      for (let candidate = 0; candidate < CANDIDATES; candidate += 1) steps.push(step(example, turn, candidate));
    }
    const run = {
      example_id: `example-${example}`,
      example_index: example,
      rep: 0,
      run_index: 0,
      status: "completed",
      seed: 0,
      started_at: "2026-01-01T00:00:00.000Z",
      seconds: 1,
      usage: { prompt_tokens: 2400, completion_tokens: 360, total_tokens: 2760, llm_calls: 40 },
      input: "play",
      output: "win",
      steps,
    };
    writeSync(file, `${JSON.stringify(run)}\n`);
  }
  closeSync(file);
}

interface Measured {
  seconds: number;
  pairs: number;
  peakMb: number;
  cpu: number;
}

function measure(folder: string, output: string, threads: number | undefined): Measured {
  const script = `
    const { buildPairs } = await import(${JSON.stringify(dist("pipeline/pairs/build-pairs.js"))});
    const { dpoTrajBuilder } = await import(${JSON.stringify(dist("preferences/dpo-traj-builder.js"))});
    const { DpoTrajBuilderOptions } = await import(${JSON.stringify(dist("preferences/dpo-traj-builder-options.js"))});
    const { nemoCustomizer } = await import(${JSON.stringify(dist("datasets/formats/nemo-customizer.js"))});
    const started = performance.now();
    const { pairs } = await buildPairs({
      runs: [${JSON.stringify(folder)}], output: ${JSON.stringify(output)}, builder: dpoTrajBuilder(DpoTrajBuilderOptions.parse({})),
      format: nemoCustomizer, format_name: "nemo-customizer", use_full_message_history: false,
      training_type: "dpo",
      deduplicate_pairs: true, max_pairs: null, seed: 0, split: { validation: 0.2, by: "auto" }, threads: ${threads},
    });
    const seconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage();
    const peakMb = process.resourceUsage().maxRSS / 1024;
    console.log(JSON.stringify({ seconds, pairs, peakMb, cpu: (user + system) / 1e6 }));`;
  const child = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  if (child.status !== 0) throw new Error(child.stderr);
  return JSON.parse(child.stdout) as Measured;
}

const sizes = process.argv.slice(2).map(Number).filter(Number.isFinite);
const root = join(import.meta.dirname, "../.tmp/bench-pairs");
console.log(`${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores, Node ${process.version}`);
for (const candidates of sizes.length > 0 ? sizes : [100_000, 1_000_000]) {
  const folder = join(root, String(candidates));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const made = performance.now();
  writeRuns(join(folder, "runs.jsonl"), candidates);
  const megabytes = statSync(join(folder, "runs.jsonl")).size / 2 ** 20;
  console.log(
    `${candidates} candidates: ${megabytes.toFixed(0)} MB of runs, made in ${((performance.now() - made) / 1000).toFixed(1)} s`,
  );
  const output = join(folder, "out");
  // The first build also warms the disk's cache.
  for (const [threads, replaces] of [[undefined], [undefined], [0], [undefined, "replacing"]] as const) {
    if (replaces === undefined) rmSync(output, { recursive: true, force: true });
    const { seconds, pairs, peakMb, cpu } = measure(folder, output, threads);
    const rate = Math.round(candidates / seconds);
    const how = replaces ?? (threads === undefined ? "usual threads" : `${threads} threads beside`);
    const each = ((cpu * 1e6) / candidates).toFixed(1);
    const figures = `${rate} candidates/s, ${each} µs of processor a candidate, peak ${peakMb.toFixed(0)} MB`;
    console.log(`  ${how}: ${pairs} pairs in ${seconds.toFixed(2)} s: ${figures}`);
  }
  rmSync(root, { recursive: true, force: true });
}
