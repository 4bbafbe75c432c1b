import { randomBytes } from "node:crypto";
import { rename, rm } from "node:fs/promises";
import { openBulkWriter } from "../../lib/bulk-writer.ts";
import { badLine, readLines } from "../../lib/jsonl.ts";
import type { PromptBuckets, Stray } from "./by-prompt.ts";
import type { PairYield } from "./yield.ts";

/**
 * Every reply to every prompt that was ever sampled, each once: what rounds hand on, so that the next one need not read the
 * runs of all earlier ones. The first line tells what was counted in those runs; each other line is a reply.
 */

const PROMPT = /^\{"prompt":"([0-9a-f]{64})",/;

/** Writes a pool; the file appears whole, or not at all. */
export interface PoolWriter extends AsyncDisposable {
  /** What was counted in all runs that the replies are of; comes first. */
  begin(found: PairYield): void;
  add(replies: readonly Stray[]): Promise<void>;
  finish(): Promise<void>;
}

export async function openPoolWriter(path: string): Promise<PoolWriter> {
  const partial = `${path}.${randomBytes(4).toString("hex")}.partial`;
  const writer = await openBulkWriter(partial);
  let is_open = true;
  const close = async () => {
    if (is_open) await writer.close();
    is_open = false;
  };
  return {
    begin: (found) => writer.write(`${JSON.stringify(found)}\n`),
    async add(replies) {
      for (const reply of replies) writer.write(`${JSON.stringify(reply)}\n`);
      await writer.pressure();
    },
    async finish() {
      await close();
      await rename(partial, path);
    },
    async [Symbol.asyncDispose]() {
      await close().catch(() => undefined);
      await rm(partial, { force: true });
    },
  };
}

function countsOf(text: string, path: string): PairYield {
  try {
    return JSON.parse(text) as PairYield;
  } catch (cause) {
    throw badLine(path, 1, "a pool begins with its counts, and this is no JSON", cause);
  }
}

/** Puts a pool's replies into buckets, and gives what was counted in their runs. Errors: `bad_line`. */
export async function readPool(
  path: string,
  buckets: Pick<PromptBuckets, "addLine" | "pressure">,
  signal: AbortSignal | undefined,
): Promise<PairYield> {
  let found: PairYield | undefined;
  for await (const { text, number } of readLines(path, signal)) {
    if (found === undefined) {
      found = countsOf(text, path);
      continue;
    }
    const prompt = PROMPT.exec(text)?.[1];
    if (prompt === undefined) throw badLine(path, number, "this is no reply of a pool");
    buckets.addLine(text, prompt);
    const pressure = buckets.pressure();
    if (pressure !== undefined) await pressure;
  }
  if (found === undefined) throw badLine(path, 1, "a pool begins with its counts, and this file is empty");
  return found;
}
