import { EXIT, PairwrightError } from "../lib/errors.ts";
import type { TrainerAdapter } from "../registry/training.ts";
import type { DeploymentStatus, JobState, JobStatus, TrainingBackend } from "../registry/training-backend.ts";

/** What a status request comes to: a state, parts of a whole status, or a failure to answer. */
export type FakeStatus = JobState | Partial<JobStatus> | Error;
export type FakeDeployment = DeploymentStatus["status"] | Partial<DeploymentStatus> | Error;

export interface FakeTrainingOptions {
  /** One answer after another; the last one stays. `["completed"]` unless told. */
  statuses?: readonly FakeStatus[];
  deployments?: readonly FakeDeployment[];
  /** What deployments are called; the job's tag unless told. */
  deployment_name?: string;
  /** What taking a deployment away comes to. */
  undeploy_fault?: Error;
  /** The trained model's name; null is a job that names none. */
  model?: string | null;
  deploy_on_completion?: boolean;
  polling?: Partial<TrainingBackend["polling"]>;
  dataset?: Partial<TrainerAdapter["dataset"]>;
  /** What can be looked at before a training; nothing unless told. */
  checks?: TrainingBackend["checks"];
}

/** A trainer adapter that trains nothing, and the calls that its backend got. */
export interface FakeTraining {
  adapter: TrainerAdapter;
  backend: TrainingBackend;
  /** Such as `submit`, `status fake-1`, in order. */
  calls: string[];
  /** Tags of the jobs that were made, in order. */
  jobs: string[];
}

/** A backend in memory that says what it is told to say, for tests of what uses one. */
export function fakeTrainerAdapter(options: FakeTrainingOptions = {}): FakeTraining {
  const { statuses = ["completed"], model = "fake/model", polling, dataset } = options;
  const calls: string[] = [];
  const jobs: string[] = [];
  const cancelled = new Set<string>();
  const nextStatus = inTurn(statuses);

  function statusOf(id: string): JobStatus {
    const at = Number(id.replace("fake-", "")) - 1;
    if (jobs[at] === undefined) throw noSuch("job", id);
    const next = cancelled.has(id) ? "cancelled" : nextStatus();
    if (next instanceof Error) throw next;
    const given = typeof next === "string" ? { status: next } : next;
    const status = given.status ?? "running";
    const progress = status === "completed" ? 100 : null;
    return { id, backend_status: status, progress, model, message: null, details: null, ...given, status };
  }

  const backend: TrainingBackend = {
    place: "memory",
    deploy_on_completion: options.deploy_on_completion ?? false,
    polling: {
      ...{ poll_interval_seconds: 0.001, max_consecutive_status_failures: 3, deployment_timeout_seconds: 60 },
      ...polling,
    },
    submit(_files, steps) {
      calls.push("submit");
      return steps.step("job", { tag: steps.tag }, async () => {
        if (!jobs.includes(steps.tag)) jobs.push(steps.tag);
        return { id: `fake-${jobs.indexOf(steps.tag) + 1}` };
      });
    },
    async status(id) {
      calls.push(`status ${id}`);
      return statusOf(id);
    },
    async cancel(id) {
      calls.push(`cancel ${id}`);
      statusOf(id);
      cancelled.add(id);
      return statusOf(id);
    },
    async logs(id) {
      statusOf(id);
      return `logs of ${id}`;
    },
    list: async () => jobs.map((_, index) => statusOf(`fake-${index + 1}`)).reverse(),
    ...fakeDeployments(options, calls),
    ...(options.checks && { checks: options.checks }),
    close: () => undefined,
  };
  const usual = { format: "nemo-customizer", use_full_message_history: false, training_type: "dpo" as const };
  const adapter = { dataset: { ...usual, dataset_output_dir: null, ...dataset }, connect: () => backend };
  return { adapter, backend, calls, jobs };
}

function fakeDeployments(
  { deployments = ["ready"], deployment_name, undeploy_fault }: FakeTrainingOptions,
  calls: string[],
): Pick<TrainingBackend, "deploy" | "deployment" | "undeploy"> {
  const served = new Map<string, string>();
  const nextDeployment = inTurn(deployments);
  return {
    deploy(of, steps) {
      calls.push(`deploy ${of}`);
      return steps.step("deployment", { tag: steps.tag }, async () => {
        const name = deployment_name ?? steps.tag;
        served.set(name, of);
        return { name };
      });
    },
    async deployment(name) {
      calls.push(`deployment ${name}`);
      if (!served.has(name)) throw noSuch("deployment", name);
      const next = nextDeployment();
      if (next instanceof Error) throw next;
      const given = typeof next === "string" ? { status: next } : next;
      const status = given.status ?? "unready";
      return { name, backend_status: status, message: null, ...given, status };
    },
    async undeploy(name) {
      calls.push(`undeploy ${name}`);
      if (undeploy_fault) throw undeploy_fault;
      served.delete(name);
    },
  };
}

function inTurn<T>(items: readonly T[]): () => T {
  let at = 0;
  return () => {
    const item = items[Math.min(at, items.length - 1)] as T;
    at += 1;
    return item;
  };
}

function noSuch(kind: string, name: string): PairwrightError {
  return new PairwrightError({
    code: `${kind}_not_found`,
    where: `${kind} ${name}`,
    what: "there is none",
    exit_code: EXIT.usage,
  });
}
