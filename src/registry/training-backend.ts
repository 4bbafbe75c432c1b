import type { Logger } from "../lib/log.ts";

/** What `job.json` can keep. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A file of a data set. */
export interface TrainingFile {
  path: string;
  rows: number;
}

/** What is to be trained on. A file without rows is a file that is not there. */
export interface TrainingFiles {
  training: TrainingFile;
  validation: TrainingFile;
}

/**
 * The steps of one job, kept in `job.json` so that another process can go on where this one ended. What a step makes must
 * be findable again by `tag`, by its own name or by its content.
 */
export interface JobSteps {
  /** Names whatever belongs to this job: small letters, digits and dashes, never used before, the same after a restart. */
  readonly tag: string;
  readonly signal: AbortSignal;
  readonly log: Logger;
  /**
   * Gives the outcome of a step that is done; else writes down `intent`, works, and writes down what came of it. `again`
   * says that an earlier process may have done it, wholly or in part, without living to write that down: look first.
   */
  step<T extends Json>(name: string, intent: Json, work: (again: boolean) => Promise<T>): Promise<T>;
}

/** Where a job stands, in one vocabulary for all backends. `unknown`: the backend says a word that the adapter does not know. */
export type JobState = "pending" | "running" | "completed" | "failed" | "cancelled" | "unknown";

/** What a backend says of a job. */
export interface JobStatus {
  id: string;
  status: JobState;
  /** The backend's own word for it. */
  backend_status: string;
  /** Per cent; null when nobody says. */
  progress: number | null;
  /** The name of the model that comes of it; null when the backend names none. */
  model: string | null;
  /** Why it failed, or what else the backend has to say; null when nothing. */
  message: string | null;
  /**
   * How much likelier, times beta, the chosen replies of the last steps are than the reference model finds them: below zero,
   * what was to be learned is lost (likelihood displacement). Null or absent when nobody says.
   */
  chosen_reward?: number | null;
  /** What the backend itself answered. */
  details: Json;
}

/** How a deployment stands. `unready` is everything between its creation and its being ready. */
export interface DeploymentStatus {
  name: string;
  status: "unready" | "ready" | "failed";
  /** The backend's own word for it. */
  backend_status: string;
  message: string | null;
}

/** What a look at something came to. */
export interface Finding {
  status: "ok" | "warning" | "failed" | "unknown" | "skipped";
  /** One line: what is so, and where it is not as it should be, what to do. */
  detail: string;
}

/** Something that can be looked at before a training without spending or changing anything. */
export interface BackendCheck {
  name: string;
  /** What it throws is a failed check, and what a finetune ends with before it collects anything. */
  look(signal: AbortSignal): Promise<Finding>;
}

/** Where data sets become models. Every method throws a PairwrightError when the backend cannot be asked or refuses. */
export interface TrainingBackend {
  /** Where it is, for messages: nothing secret in it. */
  readonly place: string;
  readonly deploy_on_completion: boolean;
  readonly polling: {
    poll_interval_seconds: number;
    /** Status requests that may fail one after another before the job's state is unknown. */
    max_consecutive_status_failures: number;
    deployment_timeout_seconds: number;
  };
  /** Brings the data set there and starts the job; gives the job's id. Once, however often it is interrupted. */
  submit(files: TrainingFiles, steps: JobSteps): Promise<{ id: string }>;
  status(id: string, signal: AbortSignal): Promise<JobStatus>;
  /** Asks for the job's end, which may come later. A job that has ended is an error. */
  cancel(id: string, signal: AbortSignal): Promise<JobStatus>;
  /** What the job's processes said, as text for people. */
  logs(id: string, signal: AbortSignal): Promise<string>;
  /** The backend's jobs in this configuration's namespace, the newest first. */
  list(signal: AbortSignal): Promise<JobStatus[]>;
  /** Starts serving a model; gives the deployment's name. Once, however often it is interrupted. */
  deploy(model: string, steps: JobSteps): Promise<{ name: string }>;
  deployment(name: string, signal: AbortSignal): Promise<DeploymentStatus>;
  /** Takes a deployment away, by the name in its status. One that is not there any more is no error. */
  undeploy(name: string, signal: AbortSignal): Promise<void>;
  /** What `pairwright doctor` looks at, and a finetune before it begins. Absent: nothing there can be looked at. */
  readonly checks?: readonly BackendCheck[];
  /** Ends open connections. */
  close(): void;
}
