import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { exists } from "../lib/files.ts";
import type { Logger } from "../lib/log.ts";
import { scrubber } from "../lib/scrub.ts";
import type { RunRecord } from "../records/run.ts";
import { addUsage, noUsage, type Usage } from "../records/usage.ts";
import { runExample } from "../workflow/run-example.ts";
import { assembleWorkflowAlone } from "./assemble.ts";
import type { Builtins } from "./builtin-registry.ts";

export interface RunOnceOptions {
  builtins: Builtins;
  inputs: readonly string[];
  seed: number;
  cache: boolean;
  drain: AbortSignal;
  stop: AbortSignal;
  log: Logger;
  now: () => number;
}

/**
 * Puts a few inputs through the workflow, one after another, and makes no folder for it. Where earlier runs have left a
 * response cache it is read and added to, unless `cache` says no; none is begun for this.
 */
export async function runOnce(config: Config, options: RunOnceOptions): Promise<{ runs: RunRecord[]; usage: Usage }> {
  const { inputs, seed, drain, stop, log, now } = options;
  const cache = options.cache && (await exists(join(config.eval.general.output_dir, "cache")));
  const { workflow, close } = await assembleWorkflowAlone(config, { ...options, cache });
  const scrub = scrubber([...config.secrets, ...options.builtins.secrets]);
  const runs: RunRecord[] = [];
  const usage = noUsage();
  try {
    for (const [index, input] of inputs.entries()) {
      if (drain.aborted) break;
      const example = { id: `input_${index}`, index, input, row: { input } };
      const record = await runExample(example, {
        workflow: workflow.run,
        workflow_name: workflow.name,
        rep: 0,
        run_index: 0,
        seed,
        policy_only: false,
        signal: stop,
        log,
        now,
      });
      addUsage(usage, record.usage);
      runs.push(JSON.parse(scrub(JSON.stringify(record))) as RunRecord);
    }
  } finally {
    await close();
  }
  return { runs, usage };
}
