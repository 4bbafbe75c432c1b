import { isObject } from "../../records/messages-of.ts";

/** How a job stands, by those who run it. */
export interface JobStanding {
  /** `ended`: nothing runs any more, and nobody calls it a failure. `unknown`: `said` has what was tried. */
  state: "waiting" | "running" | "ended" | "failed" | "unknown";
  said: string;
}

type State = Exclude<JobStanding["state"], "unknown">;

const WAITING =
  /^(PENDING|CONFIGURING|REQUEUED?|REQUEUE_\w+|RESV_DEL_HOLD|SPECIAL_EXIT|SUSPENDED|INITIALIZING|WAITING)$/;
const RUNNING = /^(RUNNING|COMPLETING|RESIZING|SIGNALING|STAGE_OUT|STOPPED)$/;
const NAMED = 8;

/** Of lines `JOB STATE`, as squeue and sacct write them; undefined without any. */
export function slurmState(text: string): JobStanding | undefined {
  const lines = text.split("\n").flatMap((line) => {
    const [job, state] = line.trim().split(/\s+/);
    return job && state ? [{ job, state }] : [];
  });
  if (lines.length === 0) return undefined;
  const named = lines.slice(0, NAMED).map(({ job, state }) => `${job} ${state}`);
  const more = lines.length > NAMED ? `, and ${lines.length - NAMED} more` : "";
  return { state: stateOfAll(lines.map(({ state }) => ofSlurm(state))), said: `${named.join(", ")}${more}` };
}

function ofSlurm(state: string): State {
  if (WAITING.test(state)) return "waiting";
  if (RUNNING.test(state)) return "running";
  return state === "COMPLETED" ? "ended" : "failed";
}

/** What runs counts before what waits, and both before what has ended. */
function stateOfAll(states: readonly State[]): State {
  const order: State[] = ["running", "waiting", "failed"];
  return order.find((state) => states.includes(state)) ?? "ended";
}

const RAY: Readonly<Record<string, State>> = {
  PENDING: "waiting",
  RUNNING: "running",
  SUCCEEDED: "ended",
  FAILED: "failed",
  STOPPED: "failed",
};

/** Of what `ray job status` prints, which has three ways to say it. */
export function rayState(text: string): JobStanding | undefined {
  const told = /Status for job '[^']*': (\w+)|Job '[^']*' (?:was )?(succeeded|failed|stopped)/.exec(text);
  const said = (told?.[1] ?? told?.[2] ?? "").toUpperCase();
  const state = RAY[said];
  return state === undefined ? undefined : { state, said };
}

/** Of the JSON that kubectl gives of a Job or a RayJob, by itself or in a list. */
export function kubernetesState(text: string): JobStanding | undefined {
  const job = jobIn(text);
  if (job === undefined) return undefined;
  const status = isObject(job.status) ? job.status : {};
  const kind = String(job.kind);
  if (kind === "RayJob") {
    const said = String(status.jobStatus || status.jobDeploymentStatus || "PENDING");
    return { state: RAY[said.toUpperCase()] ?? "waiting", said: `${kind}: ${said}` };
  }
  const conditions = Array.isArray(status.conditions) ? status.conditions.filter(isObject) : [];
  const is = (type: string) => conditions.find((condition) => condition.type === type && condition.status === "True");
  const failed = is("Failed");
  if (failed !== undefined) return { state: "failed", said: `${kind}: ${failed.reason}: ${failed.message}` };
  if (is("Complete") !== undefined) return { state: "ended", said: `${kind}: Complete` };
  const active = Number(status.active ?? 0);
  return { state: active > 0 ? "running" : "waiting", said: `${kind}: ${active} active` };
}

function jobIn(text: string): Record<string, unknown> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const items = isObject(value) && Array.isArray(value.items) ? value.items : [value];
  return items.filter(isObject).find(({ kind }) => kind === "Job" || kind === "RayJob");
}
