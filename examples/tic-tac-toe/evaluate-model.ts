/**
 * `npx jiti examples/tic-tac-toe/evaluate-model.ts DIR [--json]`: what a model does in all 4,520 positions, and how its greedy play
 * ends against everything that an opponent can do. DIR is any Hugging Face folder of the Llama family.
 */
import { PairwrightError } from "pairwright";
import type { LineCounts } from "./evaluate-model-lines.ts";
import { evaluateModel, type ModelReport } from "./evaluate-model-report.ts";

const [dir, ...flags] = process.argv.slice(2);
if (dir === undefined || dir.startsWith("-") || flags.some((flag) => flag !== "--json")) {
  process.stderr.write("usage: evaluate-model.ts DIR [--json]\n");
  process.exitCode = 2;
} else {
  await evaluateModel(dir).then(
    (report) =>
      process.stdout.write(flags.includes("--json") ? `${JSON.stringify(report, null, 2)}\n` : inWords(report)),
    (error: unknown) => {
      if (!PairwrightError.is(error)) throw error;
      process.stderr.write(`${error.message}\n  fix: ${error.fix}\n`);
      process.exitCode = error.exit_code;
    },
  );
}

function inWords({ positions, temperature_1, sampled, greedy, as_x, as_o }: ModelReport): string {
  const line = (name: string, ...columns: string[]) =>
    name.padEnd(32) + columns.map((column) => column.padStart(16)).join("");
  const row = (name: string, figure: keyof ModelReport["greedy"]) =>
    line(name, ...[temperature_1, sampled, greedy].map((figures) => percent(figures[figure])));
  return [
    line(`over ${positions} positions`, "temperature 1,", "temperature 1,", "greedy"),
    line("", "just this form", "as it is read", ""),
    row("well-formed", "well_formed"),
    row("legal", "legal"),
    row("keeps the value (random: 57.97)", "keeps_value"),
    "",
    "greedy play against every line of the opponent, and against a random one",
    ...[linesInWords("as X", as_x), linesInWords("as O", as_o)],
    "",
  ].join("\n");
}

function linesInWords(name: string, { lines, wins, draws, losses, forfeits, against_random }: LineCounts): string {
  const ends = `${wins} won, ${draws} drawn, ${losses} lost${forfeits > 0 ? ` (${forfeits} by forfeit)` : ""}`;
  return `${name}: ${lines} lines: ${ends}; loses ${percent(against_random.losses)} at random`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
