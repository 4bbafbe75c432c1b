/** How long `--help` takes as a whole process, against Node starting for nothing: commands are loaded when called. */
import { machine } from "./machine.ts";
import { measured } from "./measured.ts";

const RUNS = 11;

async function median(args: string[]): Promise<number> {
  const seconds: number[] = [];
  for (let run = 0; run < RUNS; run += 1) seconds.push((await measured(args)).seconds);
  return seconds.sort((a, b) => a - b)[Math.floor(RUNS / 2)] ?? Number.NaN;
}

const bare = await median(["-e", ""]);
const help = await median(["dist/cli/main.js", "--help"]);
console.log(`(${machine()}; medians of ${RUNS})`);
console.log(`node alone ${bare.toFixed(3)} s | --help ${help.toFixed(3)} s | ratio ${(help / bare).toFixed(2)}`);
