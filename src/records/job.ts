import { z } from "zod";

const Step = z.strictObject({
  /** What it is about to do, by the names that it will be found by. */
  intent: z.json(),
  begun_at: z.string(),
  done_at: z.string().optional(),
  outcome: z.json().optional(),
});

/** An earlier job of the same data, which ended without a model. */
const EarlierAttempt = z.strictObject({
  tag: z.string(),
  id: z.string().nullable(),
  status: z.string(),
  message: z.string().nullable(),
});

/**
 * `job.json` of a run folder: a training job, and enough for another process to go on with it. Each step of bringing it
 * about is written before it begins and after it has ended.
 */
export const JobRecord = z.strictObject({
  run_id: z.string(),
  /** Names what belongs to this job at the backend. */
  tag: z.string(),
  /** The trainer adapter's key and type in the configuration. */
  trainer_adapter: z.string(),
  type: z.string(),
  /** Where the backend is. */
  place: z.string(),
  /** The backend's id of the job; null before it is submitted. */
  id: z.string().nullable(),
  /** `submitting` has no id yet; `unknown` is a backend that could not be asked any more. */
  status: z.enum(["submitting", "pending", "running", "completed", "failed", "cancelled", "unknown"]),
  /** The backend's own word. */
  backend_status: z.string().nullable(),
  /** Per cent; null when nobody said. */
  progress: z.number().nullable(),
  /** The trained model's name. */
  model: z.string().nullable(),
  message: z.string().nullable(),
  /** See `JobStatus`; null when nobody said. */
  chosen_reward: z.number().nullable().default(null),
  /** The backend's own answer, such as `status_details`. */
  details: z.json(),
  deployment: z
    .strictObject({
      name: z.string(),
      /** `deleted`: it was there for measuring, and is no more. */
      status: z.enum(["unready", "ready", "failed", "unknown", "deleted"]),
      backend_status: z.string().nullable(),
      message: z.string().nullable(),
      /** The model was found to be better and is deployed here to stay. */
      promoted: z.literal(true).optional(),
    })
    .nullable(),
  steps: z.record(z.string(), Step),
  earlier: z.array(EarlierAttempt),
  created_at: z.string(),
  updated_at: z.string(),
});
export type JobRecord = z.infer<typeof JobRecord>;
