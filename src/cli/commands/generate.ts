import { availableParallelism } from "node:os";
import type { Completion, GenerationRequest } from "../../engine/generate/request.ts";
import { WEIGHT_FORMATS } from "../../engine/generate/serving-weights.ts";
import { readTextModel, type TextModel } from "../../engine/generate/text-model.ts";
import { EXIT, usageError } from "../../lib/errors.ts";
import type { CommandRun } from "../command.ts";
import { number, oneOf, wholeNumber } from "../flags.ts";
import { onInterrupt } from "../interrupt.ts";
import { list } from "../load.ts";
import type { Terminal } from "../terminal.ts";

/** Candidates that run at once, and the tokens of a reply, when nothing else is asked for. */
const AT_ONCE = 32;
const REPLY_TOKENS = 256;

type Flags = Record<string, unknown>;

export const run: CommandRun = async ({ flags, terminal }) => {
  const prompts = list(flags.prompt);
  const dir = flags.model;
  if (typeof dir !== "string") throw missing("--model", "the folder of a model");
  if (prompts.length === 0) throw missing("--prompt", "the text to reply to; it may be given often");
  const sampling = samplingOf(flags);

  const adapter_dir = typeof flags.adapter === "string" ? flags.adapter : undefined;
  const model = await readTextModel(dir, { raw: flags.raw === true, adapter_dir });
  const encoded = prompts.map((prompt) => model.encode(prompt));
  const requests = encoded.map((prompt) => ({ ...sampling, prompt, max_tokens: replyTokens(flags, model, prompt) }));
  await using generator = await openFor(model, requests, flags);
  using interrupt = onInterrupt(() => terminal.info("stopping"));

  const live = requests.length === 1 && sampling.n === 1 && streams(terminal);
  const on_text = live ? ({ text }: { text: string }) => void process.stdout.write(text) : undefined;
  const started = performance.now();
  const results = await Promise.all(
    requests.map((request) => generator.generate(request, { signal: interrupt.drain, on_text })),
  );
  const seconds = (performance.now() - started) / 1000;
  if (live) process.stdout.write("\n");
  else printTexts(results, terminal);
  terminal.result({
    completions: results.flatMap((completions, prompt_index) =>
      completions.map(({ token_ids, logprobs: _, ...rest }) => ({ prompt_index, ...rest, tokens: token_ids.length })),
    ),
    tokens_per_s: tokensOf(results) / seconds,
  });
  return interrupt.drain.aborted ? EXIT.interrupted : EXIT.ok;
};

/** Text on a terminal is shown as it is made. */
function streams({ options }: Terminal): boolean {
  return process.stdout.isTTY === true && !options.json && !options.quiet;
}

function samplingOf(flags: Flags) {
  return {
    n: wholeNumber(flags, "n", 1) ?? 1,
    temperature: number(flags, "temperature") ?? 1,
    top_p: number(flags, "topP") ?? 1,
    top_k: wholeNumber(flags, "topK") ?? 0,
    seed: wholeNumber(flags, "seed") ?? 0,
    stop: list(flags.stop),
  };
}

/** As asked, or as many as there is room for up to a usual number. */
function replyTokens(flags: Flags, { config }: TextModel, prompt: readonly number[]): number {
  const room = config.max_position_embeddings - prompt.length;
  return wholeNumber(flags, "maxTokens", 1) ?? Math.max(1, Math.min(REPLY_TOKENS, room));
}

/** A generator with room for these requests and no more. */
async function openFor(model: TextModel, requests: readonly GenerationRequest[], flags: Flags) {
  const longest = Math.max(...requests.map(({ prompt, max_tokens = 0 }) => prompt.length + max_tokens));
  const candidates = requests.reduce((sum, { n = 1 }) => sum + n, 0);
  const generator = await model.open({
    threads: wholeNumber(flags, "threads", 1) ?? availableParallelism(),
    weights: oneOf(flags, "weights", WEIGHT_FORMATS),
    max_batch: Math.min(candidates, AT_ONCE),
    max_length: Math.min(longest, model.config.max_position_embeddings),
    // The same command gives the same text, whatever else it is asked for.
    batch_invariant: true,
  });
  return { ...generator, [Symbol.asyncDispose]: () => generator.close() };
}

function printTexts(results: readonly (readonly Completion[])[], terminal: Terminal): void {
  const single = results.length === 1 && results[0]?.length === 1;
  results.forEach((completions, prompt) => {
    for (const { index, text } of completions) {
      terminal.print(single ? text : `[prompt ${prompt + 1}, reply ${index + 1}] ${text}`);
    }
  });
}

function tokensOf(results: readonly (readonly Completion[])[]): number {
  return results.flat().reduce((sum, { token_ids }) => sum + token_ids.length, 0);
}

function missing(flag: string, what: string) {
  return usageError({ code: "usage", where: flag, what: "it is missing", fix: `give ${what}` });
}
