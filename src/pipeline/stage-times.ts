/** Where the time of a finetune goes. `collect` and `measure` are games, `train` the platform's work; the rest is our own. */
const STAGES = ["collect", "pairs", "upload", "train", "deploy", "measure"] as const;
export type Stage = (typeof STAGES)[number];

/** Seconds of each stage; `other` is what lies in none of them. */
export type Timing = Record<Stage | "other" | "total", number>;

/** Adds up how long stages take; those that run at the same moment would count twice. */
export class StageTimes {
  readonly #now: () => number;
  readonly #seconds = new Map<Stage, number>();

  /** `now`: milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  add(stage: Stage, seconds: number): void {
    this.#seconds.set(stage, (this.#seconds.get(stage) ?? 0) + seconds);
  }

  addAll(others: StageTimes): void {
    for (const [stage, seconds] of others.#seconds) this.add(stage, seconds);
  }

  /** However the work ends, its time is spent. */
  async time<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
    const began = this.#now();
    try {
      return await work();
    } finally {
      this.add(stage, (this.#now() - began) / 1000);
    }
  }

  /** Of `total` seconds, to a millisecond. */
  timing(total: number): Timing {
    const parts = STAGES.map((stage) => [stage, this.#seconds.get(stage) ?? 0] as const);
    const other = total - parts.reduce((sum, [, seconds]) => sum + seconds, 0);
    const all = [...parts, ["other", Math.max(0, other)] as const, ["total", total] as const];
    return Object.fromEntries(all.map(([name, seconds]) => [name, Math.round(seconds * 1000) / 1000])) as Timing;
  }
}

/** In one line: `time: 42.1 s (collect 20.0, train 15.0, …)`, stages that took nothing left out. */
export function describeTiming({ total, ...parts }: Timing): string {
  const shown = Object.entries(parts).filter(([, seconds]) => seconds >= 0.05);
  return `time: ${total.toFixed(1)} s (${shown.map(([name, seconds]) => `${name} ${seconds.toFixed(1)}`).join(", ")})`;
}
