import { codeOf } from "../../lib/errors.ts";
import type { BackendCheck, Finding } from "../../registry/training-backend.ts";
import type { Method } from "../../tokens/dataset-rows.ts";
import { openChatTemplate } from "../../tokens/open-chat-template.ts";
import { openTokenizer } from "../../tokens/open-tokenizer.ts";
import { type NumberedRow, readRows } from "../../tokens/read-rows.ts";
import { createRowEncoder, type EncodedOf } from "../../tokens/row-encoder.ts";
import { summarise, tokenLengths } from "../../tokens/token-lengths.ts";
import { PAIR_FILES } from "../pairs/draft.ts";
import type { Parts } from "../parts.ts";
import { ok, unknown, warning } from "./check.ts";
import type { ModelFolder } from "./platform-models.ts";
import { newestOf } from "./training-data.ts";

/** Rows, or inputs of examples, that are counted in tokens. */
const MOST_ROWS = 2000;

/**
 * The chat template of the model that is trained, and how long rows are in its tokens. `model` gives its folder; undefined
 * where it is not on this machine.
 */
export function lengthChecks(parts: Parts, model: () => Promise<ModelFolder | undefined>): BackendCheck[] {
  const withModel =
    (look: (folder: ModelFolder, signal: AbortSignal) => Promise<Finding>) => async (signal: AbortSignal) => {
      const folder = await model();
      return folder === undefined
        ? unknown("the model is not on this machine, and with it its tokenizer")
        : look(folder, signal);
    };
  return [
    { name: "chat_template", look: withModel(templateFinding) },
    { name: "lengths", look: withModel((folder, signal) => lengthFinding(parts, folder, signal)) },
  ];
}

async function templateFinding({ name, dir }: ModelFolder): Promise<Finding> {
  await openTokenizer(dir);
  const { kind } = await openChatTemplate(dir, { or_plain: true });
  if (kind === "jinja") return ok(`${name} has a chat template of its own`);
  return warning(`${name} has no chat template: conversations are written as plain text, turn by turn`);
}

async function lengthFinding(parts: Parts, folder: ModelFolder, signal: AbortSignal): Promise<Finding> {
  const path = await newestOf(parts.output_dir, PAIR_FILES.training);
  const found = path === undefined ? undefined : await rowLengths(path, parts, folder, signal);
  return found ?? inputLengths(parts, folder, signal);
}

/** Of an earlier run's rows: the next one's will be like them. Undefined where it made none. */
async function rowLengths(
  path: string,
  parts: Parts,
  { dir, context_size }: ModelFolder,
  signal: AbortSignal,
): Promise<Finding | undefined> {
  const tokenizer = await openTokenizer(dir);
  const template = await openChatTemplate(dir, { or_plain: true });
  const method = parts.pairs.training_type;
  const encoder = createRowEncoder({ tokenizer, template, max_length: context_size, path });
  const rows: EncodedOf[Method][] = [];
  let [seen, too_long, cut] = [0, 0, 0];
  for await (const row of rowsOf(path, method, signal)) {
    const encoded = encoder.encode(method, row);
    seen += 1;
    if (encoded.why === null) rows.push(encoded.row);
    if (encoded.why === "too_long") too_long += 1;
    if (encoded.why === null && encoded.truncated) cut += 1;
    if (seen === MOST_ROWS) break;
  }
  if (seen === 0) return undefined;
  const total = tokenLengths(rows)?.total;
  const text = `${seen} rows of ${path}: up to ${total?.max ?? 0} tokens of ${context_size}, half of them up to ${total?.median ?? 0}`;
  if (too_long + cut === 0) return ok(text);
  return warning(`${text}; ${too_long} are too long to be trained on, and of ${cut} the reply is cut`);
}

/** A run may have come to no row at all. */
async function* rowsOf(path: string, method: Method, signal: AbortSignal): AsyncGenerator<NumberedRow<Method>> {
  try {
    yield* readRows(path, method, signal);
  } catch (error) {
    if (codeOf(error) !== "dataset_empty") throw error;
  }
}

/** Nothing was collected yet: what the workflow writes around an example's input is not known. */
async function inputLengths(parts: Parts, { dir, context_size }: ModelFolder, signal: AbortSignal): Promise<Finding> {
  const tokenizer = await openTokenizer(dir);
  const counts: number[] = [];
  for await (const { input } of parts.examples()) {
    signal.throwIfAborted();
    counts.push(tokenizer.encode(typeof input === "string" ? input : JSON.stringify(input)).length);
    if (counts.length === MOST_ROWS) break;
  }
  const lengths = summarise(counts);
  const text = `inputs of the data set: up to ${lengths?.max ?? 0} tokens (half of them up to ${lengths?.median ?? 0}), of ${context_size} for prompt and reply; what the workflow writes around them is not known yet`;
  return (lengths?.max ?? 0) < context_size ? ok(text) : warning(`${text}; the longest would not be trained on`);
}
