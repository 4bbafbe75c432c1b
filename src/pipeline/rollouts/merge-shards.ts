import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, realpath } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { PairwrightError, usageError } from "../../lib/errors.ts";
import { writeFileWhole } from "../../lib/files.ts";
import { manifestPath } from "./manifest.ts";

const ShardFile = z.looseObject({ name: z.string(), rows: z.int().nonnegative(), sha256: z.string() });

/** What of a shard's manifest a merge goes by. */
const ShardManifest = z.looseObject({
  kind: z.literal("rollout_pairs"),
  inputs: z.array(z.looseObject({ reader: z.string(), sha256: z.string() })),
  format: z.string(),
  options: z.record(z.string(), z.unknown()),
  shard: z.strictObject({ index: z.int().positive(), of: z.int().positive() }),
  files: z.strictObject({ training: ShardFile, validation: ShardFile.optional() }),
});
type ShardManifest = z.infer<typeof ShardManifest>;

interface Shard {
  path: string;
  manifest: ShardManifest;
}

/** What came of a merge of shards. */
export interface MergedShards {
  shards: number;
  pairs: number;
  training: number;
  validation: number;
  output: string;
}

/** Whether a file is a shard of `rollouts`: its manifest says so. */
export async function isShard(path: string): Promise<boolean> {
  const text = await readFile(manifestPath(path), "utf8").catch(() => undefined);
  return text?.includes('"rollout_pairs"') === true;
}

/**
 * The shards of one set of rollouts as one, byte for byte as one undivided command would have written it. All of them must
 * be there, unchanged, and of the same input and options.
 */
export async function mergeShards(
  paths: readonly string[],
  { output, validation, signal }: { output: string; validation?: string | undefined; signal?: AbortSignal | undefined },
): Promise<MergedShards> {
  const shards = await Promise.all(paths.map(readShard));
  shards.sort((a, b) => a.manifest.shard.index - b.manifest.shard.index);
  checkTogether(shards);
  await refuseOverwriting(shards, [output, validation]);
  const first = shards[0]?.manifest;
  if (first?.files.validation !== undefined && validation === undefined) {
    throw usageError({
      code: "usage",
      where: "--validation",
      what: "the shards have validation files, and nothing says where theirs goes",
      fix: "name a file with --validation",
    });
  }
  const sha256 = { training: await writeFileWhole(output, rowsOf(shards, "training", signal)), validation: "" };
  const hasValidation = validation !== undefined && first?.files.validation !== undefined;
  if (hasValidation) sha256.validation = await writeFileWhole(validation, rowsOf(shards, "validation", signal));
  const count = (side: "training" | "validation") =>
    shards.reduce((sum, { manifest }) => sum + (manifest.files[side]?.rows ?? 0), 0);
  const merged = { shards: shards.length, training: count("training"), validation: count("validation") };
  const manifest = {
    kind: "rollout_pairs",
    inputs: first?.inputs,
    format: first?.format,
    options: first?.options,
    merged_shards: shards.length,
    files: {
      training: { rows: merged.training, sha256: sha256.training },
      ...(hasValidation && { validation: { rows: merged.validation, sha256: sha256.validation } }),
    },
  };
  await writeFileWhole(manifestPath(output), `${JSON.stringify(manifest, null, 2)}\n`);
  return { ...merged, pairs: merged.training + merged.validation, output };
}

async function readShard(path: string): Promise<Shard> {
  const where = manifestPath(path);
  const text = await readFile(where, "utf8").catch(() => undefined);
  const parsed = text === undefined ? undefined : ShardManifest.safeParse(JSON.parse(text));
  if (parsed?.success === true) return { path, manifest: parsed.data };
  throw usageError({
    code: "no_shard",
    where,
    what: "there is no manifest of a shard beside this file",
    fix: "name the --output files of `pairwright rollouts --shard I/N`",
  });
}

function checkTogether(shards: readonly Shard[]): void {
  const [first] = shards;
  const same = ({ manifest: { inputs, format, options } }: Shard) =>
    JSON.stringify([inputs.map(({ reader, sha256 }) => [reader, sha256]), format, options]);
  const other = shards.find((shard) => first !== undefined && same(shard) !== same(first));
  const of = first?.manifest.shard.of ?? 0;
  const isWhole = shards.length === of && shards.every(({ manifest }, place) => manifest.shard.index === place + 1);
  if (other === undefined && isWhole) return;
  throw usageError({
    code: "different_shards",
    where: other?.path,
    what:
      other === undefined
        ? `these are shards ${shards.map(({ manifest: { shard } }) => `${shard.index}/${shard.of}`).join(", ")}, not all of one set`
        : "this shard has other input or options than the first",
    fix: "make all shards of one input with the same options, and name each once",
  });
}

async function refuseOverwriting(shards: readonly Shard[], outputs: readonly (string | undefined)[]): Promise<void> {
  const real = (path: string) => realpath(path).catch(() => resolve(path));
  const read = await Promise.all(shards.flatMap(filesOf).map(real));
  for (const output of outputs) {
    if (output === undefined || !read.includes(await real(output))) continue;
    throw usageError({
      code: "output_is_input",
      where: output,
      what: "this file is to be read, and would be replaced",
      fix: "give another --output",
    });
  }
}

function filesOf({ path, manifest: { files } }: Shard): string[] {
  return [path, ...(files.validation === undefined ? [] : [join(dirname(path), files.validation.name)])];
}

async function* rowsOf(
  shards: readonly Shard[],
  side: "training" | "validation",
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  for (const { path, manifest } of shards) {
    const file = manifest.files[side];
    if (file === undefined || file.rows === 0) continue;
    const from = side === "training" ? path : join(dirname(path), file.name);
    const digest = createHash("sha256");
    for await (const piece of createReadStream(from, { encoding: "utf8", highWaterMark: 1 << 20 })) {
      signal?.throwIfAborted();
      digest.update(String(piece), "utf8");
      yield String(piece);
    }
    if (digest.digest("hex") === file.sha256) continue;
    throw new PairwrightError({
      code: "shard_changed",
      where: from,
      what: "this is not what the shard's manifest says was written",
      fix: "make the shard again",
      exit_code: 2,
    });
  }
}
