import type { LoopRecord } from "./loop/loop-record.ts";

/** The rounds as a table for people. */
export function describeRounds({ base, champion, rounds, ended }: LoopRecord): string {
  const figure = (value: number | null) => (value === null ? "unknown" : value.toFixed(4)).padStart(9);
  const lines = rounds.map(({ round, score, guard, pairs, seconds, champion: best }) => {
    const of = guard === null ? "" : `  guard ${figure(guard)}`;
    return `${String(round).padStart(5)}${figure(score)}${of}${String(pairs).padStart(9)} pairs${seconds.toFixed(1).padStart(8)} s${best ? "  best so far" : ""}`;
  });
  return [
    "round    score",
    ...(base === null ? [] : [`    0${figure(base.score)}  ${base.model}`]),
    ...lines,
    ...(ended === null ? [] : [ended]),
    ...(champion === null ? [] : [`champion: round ${champion.round}, ${champion.model}`]),
  ].join("\n");
}
