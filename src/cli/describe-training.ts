/** How far a training on another trainer has come. */
export interface TrainingStanding {
  step: number;
  total_steps: number;
  loss: number | null;
  validation_loss: number | null;
  /** Seconds. */
  eta_s: number | null;
}

/** `step 3/40 · loss 0.6931 · validation loss 0.6902 · 12 s left` */
export function describeTraining({ step, total_steps, loss, validation_loss, eta_s }: TrainingStanding): string {
  const parts = [
    `step ${step}/${total_steps}`,
    loss === null ? "" : `loss ${loss.toFixed(4)}`,
    validation_loss === null ? "" : `validation loss ${validation_loss.toFixed(4)}`,
    eta_s === null ? "" : `${Math.ceil(eta_s)} s left`,
  ];
  return parts.filter((part) => part !== "").join(" · ");
}
