/**
 * Rollouts of NeMo Gym to pairs, disk to disk: time, processor time and peak memory of the built command. The rollouts are
 * synthetic, 4.6 KB each, four a task, rewards in tenths: first with a task's rows side by side, then scattered.
 *
 * ROLLOUTS_TASKS="40000 80000" says how many tasks (40,000 are 735 MB); ROLLOUTS_FILE=F measures that file instead;
 * ROLLOUTS_PEER=script.py runs a script with the flags of the seeds' one on the same file, before and after ours.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { machine } from "./machine.ts";
import { type Measured, measured } from "./measured.ts";

const EACH = 4;
const ROOT = join(import.meta.dirname, "../.tmp/bench-rollouts");
const QUESTION =
  "Which of the following statements is true of the matter at hand? Think step by step, then box a letter.\n";
const OPTIONS = Array.from(
  { length: 10 },
  (_, at) => `${"ABCDEFGHIJ"[at]}: ${"a statement of some length — ".repeat(3)}\n`,
).join("");
const ANSWER = 'Let\'s look at each statement.\n\n- It is "partly" true, since much depends on what is meant.\n'.repeat(
  22,
);

function row(task: number, rollout: number): string {
  const draw = Math.imul(task * EACH + rollout + 1, 0x9e3779b1) >>> 0;
  return JSON.stringify({
    responses_create_params: {
      input: [{ role: "user", content: `[${task}] ${QUESTION}${OPTIONS}`, type: "message" }],
      tools: [],
      metadata: null,
    },
    response: {
      id: `resp_${draw.toString(16)}`,
      created_at: 1_756_093_415,
      error: null,
      incomplete_details: null,
      model: "policy",
      object: "response",
      output: [
        {
          id: `msg_${draw.toString(16)}`,
          content: [
            {
              annotations: [],
              text: `${ANSWER}\\boxed{${"ABCDEFGHIJ"[draw % 10]}} v${rollout}`,
              type: "output_text",
              logprobs: [],
            },
          ],
          role: "assistant",
          status: "completed",
          type: "message",
        },
      ],
      parallel_tool_calls: true,
      temperature: 1,
      tool_choice: "auto",
      tools: [],
      status: "completed",
      text: { format: { type: "text" }, verbosity: "medium" },
      usage: { input_tokens: 254, input_tokens_details: { cached_tokens: 0 }, output_tokens: 475, total_tokens: 729 },
    },
    reward: ((draw >>> 8) % 11) / 10,
    expected_answer: "E",
    _ng_task_index: task,
    _ng_rollout_index: rollout,
  });
}

/** `stride`: how far apart in the file rows are that follow one another; 1 for the natural order. */
function writeRollouts(path: string, tasks: number, stride: number): void {
  const file = openSync(path, "w");
  const rows = tasks * EACH;
  let text = "";
  for (let at = 0; at < rows; at += 1) {
    const one = (at * stride) % rows;
    text += `${row(Math.floor(one / EACH), one % EACH)}\n`;
    if (text.length < 1 << 20 && at + 1 < rows) continue;
    writeSync(file, text);
    text = "";
  }
  closeSync(file);
}

async function peer(script: string, input: string): Promise<number> {
  const began = process.hrtime.bigint();
  const child = spawn("python3", [script, "--input", input, "--output", join(ROOT, "peer.jsonl")], { stdio: "ignore" });
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`${script} ended with ${String(code)}`);
  return Number(process.hrtime.bigint() - began) / 1e9;
}

async function ours(input: string): Promise<Measured> {
  const output = join(ROOT, "ours.jsonl");
  return measured(["dist/cli/main.js", "rollouts", "--input", input, "--output", output, "--json", "--quiet"]);
}

async function compare(name: string, input: string): Promise<void> {
  const megabytes = statSync(input).size / 1e6;
  const script = process.env.ROLLOUTS_PEER;
  const before = script === undefined ? undefined : await peer(script, input);
  const runs = [await ours(input), await ours(input), await ours(input)];
  const after = script === undefined ? undefined : await peer(script, input);
  const best = runs.reduce((a, b) => (b.seconds < a.seconds ? b : a));
  const { pairs } = JSON.parse(best.stdout) as { pairs: number };
  const peak = Math.max(...runs.map(({ peak_mb }) => peak_mb));
  console.log(
    `${name}, ${megabytes.toFixed(0)} MB: ${pairs} pairs in ${best.seconds.toFixed(1)} s (${(megabytes / best.seconds).toFixed(0)} MB/s), ` +
      `${best.cpu_seconds.toFixed(1)} s of processor, peak ${peak.toFixed(0)} MB`,
  );
  if (before === undefined || after === undefined) return;
  const theirs = Math.min(before, after);
  console.log(`  the script: ${theirs.toFixed(1)} s; ours takes ${(best.seconds / theirs).toFixed(2)} of that`);
}

console.log(`(${machine()}; best of 3, and of 2 of the script)`);
rmSync(ROOT, { recursive: true, force: true });
mkdirSync(ROOT, { recursive: true });
const given = process.env.ROLLOUTS_FILE;
if (given !== undefined) await compare("that file", given);
for (const tasks of given === undefined ? (process.env.ROLLOUTS_TASKS ?? "40000").split(/[ ,]+/).map(Number) : []) {
  const path = join(ROOT, "rollouts.jsonl");
  // A prime that divides no number of rows here: every row comes once, and those of a task come far apart.
  for (const [name, stride] of [
    ["side by side", 1],
    ["scattered", 100_003],
  ] as const) {
    writeRollouts(path, tasks, stride);
    await compare(`${tasks} tasks ${name}`, path);
  }
}
rmSync(ROOT, { recursive: true, force: true });
