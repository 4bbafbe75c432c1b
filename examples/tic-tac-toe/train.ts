/**
 * `npx jiti examples/tic-tac-toe/train.ts [REPS]`: the base model plays, is trained by DPO on what the collect path made of its
 * games, and is measured before and after. Everything runs on this machine; about two minutes. `npm run build` first.
 */
import { fileURLToPath } from "node:url";
import { evaluateModel, type ModelReport } from "./evaluate-model-report.ts";
import { type PairChances, pairChances } from "./train-chances.ts";
import { playAndTrain } from "./train-round.ts";

const [reps = "20"] = process.argv.slice(2);
const base = fileURLToPath(new URL("base-model", import.meta.url));
const output_dir = fileURLToPath(new URL("../../.tmp/tic-tac-toe/train", import.meta.url));

const round = await playAndTrain({ model: base, output_dir, reps: Number(reps), epochs: 10, seed: 0 });
process.stderr.write(`\nMeasuring both models in every position…\n`);
const before = { report: await evaluateModel(base), pairs: await pairChances(base, round.dataset) };
const after = { report: await evaluateModel(round.trained), pairs: await pairChances(round.trained, round.dataset) };
process.stdout.write(table());

function table(): string {
  const row = (name: string, figure: (of: { report: ModelReport; pairs: PairChances }) => string) =>
    `${name.padEnd(58)}${figure(before).padStart(12)}${figure(after).padStart(12)}\n`;
  return [
    `\n${round.games} games, ${round.pairs} pairs\n`,
    `${"".padEnd(58)}${"base".padStart(12)}${"trained".padStart(12)}\n`,
    row("probability of the preferred reply, pairs trained on", ({ pairs }) => percent(pairs.training.chosen)),
    row("probability of the rejected reply, pairs trained on", ({ pairs }) => percent(pairs.training.rejected)),
    row("probability of the preferred reply, pairs held back", ({ pairs }) => percent(pairs.validation.chosen)),
    row("probability of the rejected reply, pairs held back", ({ pairs }) => percent(pairs.validation.rejected)),
    row("all 4,520 positions, temperature 1: just this form", ({ report }) =>
      percent(report.temperature_1.well_formed),
    ),
    row("                                    well-formed", ({ report }) => percent(report.sampled.well_formed)),
    row("                                    legal", ({ report }) => percent(report.sampled.legal)),
    row("                                    keeps the value", ({ report }) =>
      percent(report.temperature_1.keeps_value),
    ),
    row("                                    greedy keeps the value", ({ report }) =>
      percent(report.greedy.keeps_value),
    ),
    row("greedy as X: lost lines of all", ({ report: { as_x } }) => `${as_x.losses}/${as_x.lines}`),
    row("greedy as O: lost lines of all", ({ report: { as_o } }) => `${as_o.losses}/${as_o.lines}`),
    row("greedy against a random opponent: lost as X", ({ report }) => percent(report.as_x.against_random.losses)),
    row("                                  lost as O", ({ report }) => percent(report.as_o.against_random.losses)),
    `\nThe trained model: ${round.trained}\n`,
  ].join("");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
