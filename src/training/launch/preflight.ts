import { isAbsolute } from "node:path";
import { PairwrightError, usageError } from "../../lib/errors.ts";
import { exists } from "../../lib/files.ts";
import { didYouMean } from "../../lib/suggest.ts";
import type { TrainingFile } from "../../registry/training-backend.ts";
import { openChatTemplate } from "../../tokens/open-chat-template.ts";
import { openTokenizer } from "../../tokens/open-tokenizer.ts";
import { findCheckpoint } from "./checkpoints.ts";
import type { LaunchFinding, LaunchInput } from "./launch-plan.ts";
import type { LaunchRow } from "./launch-row.ts";
import { METRIC_NAMES } from "./metric-names.ts";
import { type RowCensus, takeCensus } from "./row-census.ts";
import { asTheyStand, type RowPlaces } from "./row-places.ts";
import { rowTokens } from "./row-tokens.ts";
import { SharedPrompts } from "./shared-prompts.ts";
import { tokenFindings } from "./token-findings.ts";
import { trainingShape } from "./training-shape.ts";

const NAMES = { "nemo-rl": "NeMo RL", trl: "TRL" } as const;

/**
 * Looks at what would be trained, before it is: each finding that failed would let the trainer do nothing, or train something
 * else than was asked for, without a word. Reads both files once, in memory that does not grow with them. Rows are named
 * by where `places` says that the user has them.
 */
export async function preflight(
  input: LaunchInput,
  { signal, places = asTheyStand(input.files) }: { signal?: AbortSignal; places?: RowPlaces } = {},
): Promise<LaunchFinding[]> {
  const settings = [metricFinding(input), ...pathFindings(input), await outputFinding(input)];
  const missing = validationFinding(input);
  if (missing !== undefined || settings.some(({ name, status }) => name === "paths" && status === "failed")) {
    return [...settings, ...(missing === undefined ? [] : [missing])];
  }
  const { tokens, finding } = await openTokens(input).catch((error: unknown) => ({
    tokens: undefined,
    finding: failingOf("tokenizer", error),
  }));
  try {
    const prompts = new SharedPrompts();
    const census = (side: RowCensus["side"], onRow: (row: LaunchRow, number: number) => void) =>
      takeCensus(side, input, tokens, { places, signal, onRow });
    const validation = await census("validation", (row, number) => prompts.addValidation(row, number));
    const training = await census("training", (row) => prompts.addTraining(row));
    return [
      ...settings,
      finding,
      ok("dataset", `${training.rows} pairs to train on, ${validation.rows} to validate with`),
      batchFinding(input, training),
      await prompts.finding(places),
      ...(tokens === undefined ? [] : tokenFindings(input, training, validation)),
    ];
  } catch (error) {
    return [...settings, finding, failingOf("dataset", error)];
  }
}

/** Errors: the code of the first finding that failed, with the sentences of all that did. */
export function refuseFailed(findings: readonly LaunchFinding[]): void {
  const failed = findings.filter(({ status }) => status === "failed");
  const [first] = failed;
  if (first === undefined) return;
  throw usageError({
    code: first.code ?? "preflight_failed",
    where: first.name,
    what: failed.map(({ detail }) => detail).join("; "),
    fix: "mend this, or change the trainer adapter's options; nothing was started",
  });
}

function ok(name: string, detail: string): LaunchFinding {
  return { name, status: "ok", code: null, detail };
}

function failed(name: string, code: string, detail: string): LaunchFinding {
  return { name, status: "failed", code, detail };
}

/** What was raised on purpose is a finding; anything else is a fault of this program, and flies on. */
function failingOf(name: string, error: unknown): LaunchFinding {
  if (!PairwrightError.is(error)) throw error;
  return failed(name, error.code, error.fix === undefined ? error.message : `${error.message} (${error.fix})`);
}

function metricFinding({ target, options }: LaunchInput): LaunchFinding {
  const { checkpoint_metric: metric } = options;
  const known = METRIC_NAMES[target];
  if (metric === null || known.includes(metric)) return ok("checkpoint_metric", metric ?? "the validation's loss");
  const like = didYouMean(metric, [...known]);
  return failed(
    "checkpoint_metric",
    "metric_unknown",
    `${NAMES[target]} has no metric ${JSON.stringify(metric)}, and would stop at its first checkpoint.${like}`,
  );
}

/** NeMo RL takes a path for the name of a data set on the hub, or breaks on it. */
function pathFindings({ target, files, options }: LaunchInput): LaunchFinding[] {
  if (options.model_name.startsWith(".")) {
    const detail = `model_name is ${options.model_name}, and the trainer runs elsewhere: give an absolute folder, or a name of the hub`;
    return [failed("paths", "path_unusable", detail)];
  }
  const paths = Object.values(files).flatMap(({ path, rows }) => (rows === 0 ? [] : [path]));
  const relative = paths.find((path) => !isAbsolute(path));
  if (relative !== undefined) {
    return [failed("paths", "path_unusable", `${relative} must be an absolute path: the trainer runs elsewhere`)];
  }
  const unknown = paths.find((path) => !/\.jsonl?$/.test(path));
  if (unknown !== undefined) {
    const detail = `${unknown} does not end in .jsonl, by which ${NAMES[target]} knows what is in a file`;
    return [failed("paths", "path_unusable", detail)];
  }
  return [ok("paths", "absolute, and of a kind that is known")];
}

/** Both trainers go on from what lies in their folder; one that is done already ends at once, with exit code 0. */
async function outputFinding(input: LaunchInput): Promise<LaunchFinding> {
  const { checkpoint } = await findCheckpoint(input.target, `${input.output}/checkpoints`);
  if (checkpoint === null) return ok("output", `${input.output} has no checkpoint yet`);
  if (checkpoint.step >= trainingShape(input).total_steps) {
    return failed("output", "already_trained", `${checkpoint.dir} is of the last step: give a new output folder`);
  }
  return { name: "output", status: "warning", code: null, detail: `it goes on from ${checkpoint.dir}` };
}

function validationFinding({ files, target }: LaunchInput): LaunchFinding | undefined {
  if (files.validation.rows > 0) return undefined;
  return failed(
    "validation",
    "validation_missing",
    `there are no pairs to validate with, by which ${NAMES[target]} tells its best checkpoint: collect more examples, give split.validation a share, or name a file with --validation-dataset`,
  );
}

function batchFinding(input: LaunchInput, { usable, rows }: RowCensus): LaunchFinding {
  const { batch_size } = input.options.hyperparameters;
  const steps = trainingShape(withRows(input, usable.count)).total_steps;
  if (usable.count >= batch_size) return ok("batch", `${steps} steps of ${batch_size} pairs`);
  const are = usable.count === 1 ? "is" : "are";
  const of = usable.count === rows ? pairs(rows) : `${usable.count} of ${pairs(rows)} can be trained on, which`;
  const then = input.target === "nemo-rl" ? "would make no step, and end as if all were well" : "would train on less";
  return failed(
    "batch",
    "too_few_pairs",
    `${of} ${are} fewer than one batch of ${batch_size}: ${NAMES[input.target]} ${then}; lower batch_size or collect more`,
  );
}

function pairs(count: number): string {
  return count === 1 ? "1 pair" : `${count} pairs`;
}

function withRows(input: LaunchInput, rows: number): LaunchInput {
  const training: TrainingFile = { ...input.files.training, rows };
  return { ...input, files: { ...input.files, training } };
}

/** The model's own tokenizer and template, where they are on this machine. */
async function openTokens({ target, options }: LaunchInput) {
  const dir = options.tokenizer_dir ?? (isAbsolute(options.model_name) ? options.model_name : null);
  if (dir === null || !(await exists(dir))) {
    const detail = `the tokenizer of ${options.model_name} is not on this machine, so lengths and chat template are not known: give tokenizer_dir`;
    return { tokens: undefined, finding: { name: "tokenizer", status: "unknown" as const, code: null, detail } };
  }
  const tokenizer = await openTokenizer(dir);
  const texts = options.dataset_format === "trl";
  const template = await openChatTemplate(dir, { or_plain: texts });
  return { tokens: rowTokens(target, tokenizer, template), finding: ok("tokenizer", `of ${dir}`) };
}
