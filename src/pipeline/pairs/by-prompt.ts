import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type BulkWriter, openBulkWriter } from "../../lib/bulk-writer.ts";
import { readJsonl } from "../../lib/jsonl.ts";
import { contentOf, questionHash } from "../../preferences/content.ts";
import type { CandidateRecord, CandidateSource, TurnRecord } from "../../records/candidate.ts";
import type { UnsplitPair } from "../../records/pair.ts";

const BUCKET_BYTES = 16 << 20;
const MAX_BUCKETS = 256;

/** A candidate with the run it comes from, as it lies in a bucket. */
export interface Stray {
  /** SHA-256 of its prompt and tools. */
  prompt: string;
  source: CandidateSource;
  candidate: CandidateRecord;
  /** Of one that stands for several equal ones of earlier runs: their scores. */
  scores?: { sum: number; n: number };
}

/** All replies of a run folder to one prompt, as one turn. */
export interface PromptGroup {
  /** Its candidates are numbered from 0 in the order of the runs; equal replies are one, with the mean of their scores. */
  turn: TurnRecord;
  /** Where a reply of this group was first given; that of the group's first one for any other. */
  sourceOf(candidate: CandidateRecord | undefined): CandidateSource;
  /** The group's replies, each once, with their scores: what a later build needs of it. */
  readonly replies: readonly Stray[];
  /** Puts the chosen reply's provenance into a pair of this group, and the rejected one's into its metadata. */
  place(pair: UnsplitPair): { pair: UnsplitPair; group: string | undefined };
}

/** Candidates of a whole run folder by their prompts. */
export interface PromptBuckets extends AsyncDisposable {
  add(turn: TurnRecord): void;
  /** The replies of an earlier build: a JSON text of each, and the hash of its prompt. They come first. */
  addLine(line: string, prompt: string): void;
  /** A promise to wait for when the disk is behind. */
  pressure(): Promise<void> | undefined;
  /** The groups, in the order of their prompts' hashes: an order that does not depend on how many buckets there are. */
  groups(signal?: AbortSignal): AsyncGenerator<PromptGroup>;
}

/**
 * Sorts candidates by prompt through temporary files in the output folder, so that no more than one part of them is in
 * memory: of `bytes` bytes of runs about 16 MiB at a time, up to 4 GiB of runs. The files are removed at the end.
 */
export async function openPromptBuckets(output: string, bytes: number): Promise<PromptBuckets> {
  const folder = join(output, `.prompts.${randomBytes(4).toString("hex")}.partial`);
  await mkdir(folder, { recursive: true });
  const count = Math.min(MAX_BUCKETS, 2 ** Math.ceil(Math.log2(Math.max(1, bytes / BUCKET_BYTES))));
  const paths = Array.from({ length: count }, (_, place) => join(folder, `${place}.jsonl`));
  const writers: BulkWriter[] = [];
  try {
    for (const path of paths) writers.push(await openBulkWriter(path, { piece: 1 << 16 }));
  } catch (error) {
    await closeAll(writers);
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  let closed = false;
  function addLine(line: string, prompt: string): void {
    // The first bits decide, so that the buckets follow one another in the order of the hashes.
    const place = Math.floor((Number.parseInt(prompt.slice(0, 4), 16) / 0x10000) * count);
    writers[place]?.write(`${line}\n`);
  }
  return {
    add(turn) {
      for (const stray of straysOf(turn)) addLine(JSON.stringify(stray), stray.prompt);
    },
    addLine,
    pressure() {
      for (const writer of writers) {
        const pressure = writer.pressure();
        if (pressure !== undefined) return pressure;
      }
      return undefined;
    },
    async *groups(signal) {
      closed = true;
      await closeAll(writers);
      for (const path of paths) yield* groupsOf(path, signal);
    },
    async [Symbol.asyncDispose]() {
      if (!closed) await closeAll(writers).catch(() => undefined);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A turn's replies, equal ones as one: candidates of one turn often say the same, and what is less is sorted sooner. */
function straysOf({ source, candidates }: TurnRecord): Stray[] {
  const strays: Stray[] = [];
  let asked: CandidateRecord | undefined;
  let prompt = "";
  for (const candidate of candidates) {
    if (asked === undefined || candidate.prompt !== asked.prompt || candidate.tools !== asked.tools) {
      asked = candidate;
      prompt = questionHash(candidate.prompt, candidate.tools);
    }
    strays.push({ prompt, source, candidate });
  }
  return merged(strays);
}

async function closeAll(writers: readonly BulkWriter[]): Promise<void> {
  const closings = await Promise.allSettled(writers.map((writer) => writer.close()));
  for (const closing of closings) if (closing.status === "rejected") throw closing.reason;
}

async function* groupsOf(path: string, signal: AbortSignal | undefined): AsyncGenerator<PromptGroup> {
  const byPrompt = new Map<string, Stray[]>();
  for await (const { value } of readJsonl(path, signal)) {
    const stray = value as Stray;
    const others = byPrompt.get(stray.prompt);
    if (others === undefined) byPrompt.set(stray.prompt, [stray]);
    else others.push(stray);
  }
  for (const prompt of [...byPrompt.keys()].sort()) {
    const group = groupOf(prompt, byPrompt.get(prompt) ?? []);
    byPrompt.delete(prompt);
    if (group !== undefined) yield group;
  }
}

function groupOf(prompt: string, strays: Stray[]): PromptGroup | undefined {
  const first = strays[0];
  if (first === undefined) return undefined;
  const replies = merged(strays);
  // Numbered within the group; a reply keeps its own number for a pair's provenance.
  const candidates = replies.map(({ candidate }, candidate_index) => ({ ...candidate, candidate_index }));
  return {
    turn: { source: first.source, turn_id: `prompt-${prompt.slice(0, 16)}`, turn_index: 0, candidates },
    replies,
    sourceOf: (candidate) => (replies[candidate?.candidate_index ?? 0] ?? first).source,
    place: (pair) => placed(pair, replies),
  };
}

/** Equal replies to one prompt as one, in the order in which they first come. */
function merged(strays: readonly Stray[]): Stray[] {
  const byReply = new Map<string, Stray[]>();
  for (const [place, stray] of strays.entries()) {
    const { completion } = stray.candidate;
    // Failed ones are no equal replies: each is left out and counted for itself.
    const reply = completion.length === 0 ? `failed ${place}` : stray.prompt + contentOf(completion);
    const same = byReply.get(reply);
    if (same === undefined) byReply.set(reply, [stray]);
    else same.push(stray);
  }
  return [...byReply.values()].map(mergedOf);
}

/** Equal replies as one: the first one that is not cut off, with the mean of all scores that there are. */
function mergedOf(same: readonly Stray[]): Stray {
  const origin = same.find(({ candidate }) => candidate.finish_reason !== "length") ?? (same[0] as Stray);
  const scores = { sum: 0, n: 0 };
  for (const { candidate, scores: earlier } of same) {
    scores.sum += earlier?.sum ?? candidate.score ?? 0;
    scores.n += earlier?.n ?? (candidate.score === null ? 0 : 1);
  }
  // A reply that a model gave even once is a reply of that model.
  const model = same.find(({ candidate }) => typeof candidate.model === "string")?.candidate.model;
  const score = scores.n === 0 ? null : scores.sum / scores.n;
  const candidate: CandidateRecord = { ...origin.candidate, score };
  candidate.model = model ?? origin.candidate.model;
  return { prompt: origin.prompt, source: origin.source, candidate, scores };
}

function placed(pair: UnsplitPair, origins: readonly Stray[]): { pair: UnsplitPair; group: string | undefined } {
  const chosen = origins[pair.chosen_index];
  const rejected = origins[pair.rejected_index];
  if (chosen === undefined || rejected === undefined) return { pair, group: undefined };
  const { example_id, rep, run_index, seed, group } = chosen.source;
  const { turn_id, turn_index, candidate_index } = chosen.candidate;
  return {
    pair: {
      ...pair,
      example_id,
      rep,
      run_index,
      seed,
      turn_id,
      turn_index,
      chosen_index: candidate_index,
      rejected_index: rejected.candidate.candidate_index,
      metadata: { ...pair.metadata, rejected: provenanceOf(rejected) },
    },
    group,
  };
}

function provenanceOf({ source, candidate }: Stray): Record<string, unknown> {
  const { example_id, rep, run_index } = source;
  return { example_id, rep, run_index, turn_id: candidate.turn_id, turn_index: candidate.turn_index };
}
