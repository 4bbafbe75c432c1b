import { codeOf, messageOf } from "../lib/errors.ts";
import { hash31, sha256 } from "../lib/hash.ts";
import { jsonCopy } from "../lib/json-copy.ts";
import type { Logger } from "../lib/log.ts";
import { seededRandom } from "../lib/random.ts";
import { untilAborted } from "../lib/until-aborted.ts";
import { type PlayedRun, type RunRecord, runLine } from "../records/run.ts";
import { noUsage } from "../records/usage.ts";
import type { Example, RunContext, WorkflowFunction } from "../registry/workflow.ts";
import { choose } from "./choose.ts";
import { currentScope, type Scope } from "./scope.ts";
import { createStepLog } from "./step-log.ts";

export interface RunExampleOptions {
  workflow: WorkflowFunction;
  /** The workflow's name in the configuration, for the ancestry of its steps. */
  workflow_name: string;
  rep: number;
  run_index: number;
  seed: number;
  policy_only: boolean;
  signal: AbortSignal;
  log: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
  /** The group of the row, when the split asks for one. */
  group?: string | undefined;
}

/**
 * Plays one example through the workflow. Whatever the workflow throws becomes a failed record with all its steps; only
 * the abort of `signal` is thrown, since an example that was stopped has not ended.
 */
export async function playExample(example: Example, options: RunExampleOptions): Promise<PlayedRun> {
  const { workflow, workflow_name, rep, run_index, seed, signal, now } = options;
  const place = JSON.stringify([seed, example.id, rep, run_index]);
  const log = createStepLog({ id_prefix: sha256(place).slice(0, 12), now });
  const root = { function_id: "root", function_name: "root", parent_id: null, parent_name: null };
  const context = createContext(() => scope, example, options);
  const scope: Scope = {
    context,
    log,
    node: root,
    parent_id: "root",
    now,
    total: noUsage(),
    tags: undefined,
    seeds: { place: [seed, example.id, rep, run_index, "call"], calls: 0 },
    tally: undefined,
  };

  const started = now();
  // The workflow may change what it is given; the record says what that was.
  const input = jsonCopy(example.input, `example "${example.id}"`);
  const id = log.push(scope, { event_type: "WORKFLOW_START", name: workflow_name, data: { input } });
  const node = { function_id: id, function_name: workflow_name, parent_id: "root", parent_name: "root" };
  let output: unknown = null;
  let error: RunRecord["error"];
  try {
    const inside = { ...scope, node, parent_id: id };
    const work = currentScope.run(inside, async () => workflow(example.input, scope.context));
    output = jsonCopy((await untilAborted(work, signal)) ?? null, "the workflow's output") ?? null;
  } catch (thrown) {
    signal.throwIfAborted();
    const cause = thrown instanceof Error ? codeOf(thrown.cause) : undefined;
    error = { code: codeOf(thrown) ?? "workflow_failed", message: messageOf(thrown), ...(cause && { cause }) };
    options.log.debug(`${example.id}: ${thrown instanceof Error ? thrown.stack : String(thrown)}`);
  }
  signal.throwIfAborted();
  log.push(scope, {
    event_type: "WORKFLOW_END",
    name: workflow_name,
    UUID: id,
    span_event_timestamp: started / 1000,
    data: { output },
  });

  const head = {
    example_id: example.id,
    example_index: example.index,
    rep,
    run_index,
    status: error ? ("failed" as const) : ("completed" as const),
    seed,
    started_at: new Date(started).toISOString(),
    seconds: (now() - started) / 1000,
    usage: scope.total,
    ...(error && { error }),
    input,
    ...(example.answer !== undefined && { answer: example.answer }),
    output,
    ...(options.group !== undefined && { group: options.group }),
  };
  return { head, steps: log.steps };
}

/** The same as a record, its steps read back: for one run, or a few. */
export async function runExample(example: Example, options: RunExampleOptions): Promise<RunRecord> {
  return JSON.parse(runLine(await playExample(example, options))) as RunRecord;
}

/** What the workflow gets. Pushing and choosing happen at the place of the caller, wherever in the run that is. */
function createContext(root: () => Scope, example: Example, options: RunExampleOptions): RunContext {
  const { rep, run_index, seed, policy_only, signal, log } = options;
  const here = (): Scope => {
    const scope = currentScope.getStore();
    // Another run's scope is none of ours: a context that was kept too long pushes to its own run.
    return scope && scope.log === root().log ? scope : root();
  };
  let turns = 0;

  return {
    example,
    seed,
    rep,
    run_index,
    policy_only,
    signal,
    log,
    random: seededRandom(hash31(seed, example.id, rep, run_index)),
    steps: {
      push: (step) => void root().log.push(here(), step),
    },
    choose: async (label, chooseOptions) => {
      const turn_index = turns;
      turns += 1;
      return choose(here(), turn_index, label, chooseOptions);
    },
    span: async (category, name, input, work, outputOf) => {
      const scope = here();
      const began = options.now() / 1000;
      const UUID = scope.log.push(scope, {
        event_type: `${category}_START`,
        name,
        data: { input: jsonCopy(input, name) },
      });
      const end = (facts: { data?: Record<string, unknown>; metadata?: Record<string, unknown> }) =>
        scope.log.push(scope, { event_type: `${category}_END`, name, UUID, span_event_timestamp: began, ...facts });
      try {
        const output = await currentScope.run({ ...scope, parent_id: UUID }, work);
        const said = outputOf ? outputOf(output) : output;
        end({ data: { input, output: said } });
        return output;
      } catch (error) {
        end({ metadata: { error: codeOf(error) ?? "failed" } });
        throw error;
      }
    },
  };
}
