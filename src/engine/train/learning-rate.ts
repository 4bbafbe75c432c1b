export const SCHEDULES = ["constant", "linear", "cosine"] as const;
export type Schedule = (typeof SCHEDULES)[number];

export interface LearningRateSettings {
  learning_rate: number;
  schedule: Schedule;
  warmup_steps: number;
  /** What linear and cosine end at, as a share of `learning_rate`. */
  min_learning_rate_ratio: number;
}

/**
 * The learning rate of a step, counted from 0, of `steps`. The same as transformers' schedules of these names: during
 * warm-up step / warmup_steps of it, so the very first step of a warm-up changes nothing.
 */
export function learningRate(settings: LearningRateSettings, step: number, steps: number): number {
  const { learning_rate, schedule, warmup_steps, min_learning_rate_ratio: least } = settings;
  if (step < warmup_steps) return (learning_rate * step) / warmup_steps;
  const done = Math.min(1, (step - warmup_steps) / Math.max(1, steps - warmup_steps));
  switch (schedule) {
    case "constant":
      return learning_rate;
    case "linear":
      return learning_rate * (least + (1 - least) * (1 - done));
    case "cosine":
      return learning_rate * (least + (1 - least) * 0.5 * (1 + Math.cos(Math.PI * done)));
    default:
      return schedule satisfies never;
  }
}
