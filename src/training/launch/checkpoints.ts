import { open, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../lib/errors.ts";
import { isObject } from "../../records/messages-of.ts";
import type { Checkpoint, LaunchTarget } from "./launch-plan.ts";

const FOLDERS: Record<LaunchTarget, RegExp> = { "nemo-rl": /^step_(\d+)$/, trl: /^checkpoint-(\d+)$/ };
const CHECKS: Record<LaunchTarget, (dir: string, step: number) => Promise<string | undefined>> = {
  "nemo-rl": faultOfNemoRl,
  trl: faultOfTrl,
};

/** The newest checkpoint that is whole, and what is wrong with newer ones. */
export interface FoundCheckpoint {
  checkpoint: Checkpoint | null;
  broken: string[];
}

/**
 * Looks at the checkpoints of a folder, the newest first, until one has all its files in their full length. What a trainer
 * is still writing has another name, or lacks files.
 */
export async function findCheckpoint(target: LaunchTarget, folder: string): Promise<FoundCheckpoint> {
  const broken: string[] = [];
  const steps = (await namesIn(folder)).flatMap((name) => {
    const step = FOLDERS[target].exec(name)?.[1];
    return step === undefined ? [] : [{ dir: join(folder, name), step: Number(step) }];
  });
  for (const checkpoint of steps.sort((a, b) => b.step - a.step)) {
    const fault = await CHECKS[target](checkpoint.dir, checkpoint.step);
    if (fault === undefined) return { checkpoint, broken };
    broken.push(`${checkpoint.dir}: ${fault}`);
  }
  return { checkpoint: null, broken };
}

/** Weights are torch's distributed files, or with LoRA (DTensor v2) safetensors. */
async function faultOfNemoRl(dir: string, step: number): Promise<string | undefined> {
  const info = await jsonOf(join(dir, "training_info.json"));
  if (info === undefined) return "training_info.json is missing or broken";
  if (info.total_steps !== step) return `training_info.json is of step ${String(info.total_steps)}`;
  const weights = join(dir, "policy", "weights");
  for (const folder of [weights, join(weights, "model")]) {
    const names = await namesIn(folder);
    const tensors = names.filter((name) => name.endsWith(".safetensors"));
    if (tensors.length > 0) return await firstFault(folder, tensors);
    const shards = names.filter((name) => name.endsWith(".distcp"));
    if (shards.length === 0) continue;
    return names.includes(".metadata") ? await emptyOne(folder, shards) : `${folder} has no .metadata`;
  }
  return `${weights} holds no weights`;
}

async function faultOfTrl(dir: string, step: number): Promise<string | undefined> {
  const state = await jsonOf(join(dir, "trainer_state.json"));
  if (state === undefined) return "trainer_state.json is missing or broken";
  if (state.global_step !== step) return `trainer_state.json is of step ${String(state.global_step)}`;
  return await modelFault(dir);
}

/** What is wrong with a folder of Hugging Face's layout: weights, or an adapter; undefined when all of it is there. */
export async function modelFault(dir: string): Promise<string | undefined> {
  const names = await namesIn(dir);
  if (names.includes("adapter_model.safetensors")) {
    if ((await jsonOf(join(dir, "adapter_config.json"))) === undefined) return "adapter_config.json is missing";
    return await firstFault(dir, ["adapter_model.safetensors"]);
  }
  if ((await jsonOf(join(dir, "config.json"))) === undefined) return "config.json is missing or broken";
  const index = await jsonOf(join(dir, "model.safetensors.index.json"));
  const shards = index === undefined ? ["model.safetensors"] : shardsOf(index.weight_map);
  return await firstFault(dir, shards);
}

function shardsOf(weight_map: unknown): string[] {
  return isObject(weight_map) ? [...new Set(Object.values(weight_map).map(String))] : [];
}

async function firstFault(dir: string, files: readonly string[]): Promise<string | undefined> {
  for (const file of files) {
    const fault = await tensorsFault(join(dir, file));
    if (fault !== undefined) return `${file} ${fault}`;
  }
  return files.length === 0 ? "it names no file of weights" : undefined;
}

async function emptyOne(dir: string, files: readonly string[]): Promise<string | undefined> {
  for (const file of files) if ((await stat(join(dir, file))).size === 0) return `${file} is empty`;
  return undefined;
}

const MOST_HEADER_BYTES = 100_000_000;

/** Whether a safetensors file is as long as its own header says. */
async function tensorsFault(path: string): Promise<string | undefined> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return "is missing";
    throw error;
  }
  try {
    const { size } = await file.stat();
    const head = Buffer.alloc(8);
    await file.read(head, 0, 8, 0);
    const length = Number(head.readBigUInt64LE());
    if (size < 8 || length > Math.min(size - 8, MOST_HEADER_BYTES)) return "is cut or no safetensors file";
    const text = Buffer.alloc(length);
    await file.read(text, 0, length, 8);
    const ends = Object.values(
      JSON.parse(text.toString("utf8")) as Record<string, { data_offsets?: [number, number] }>,
    );
    const end = Math.max(0, ...ends.map(({ data_offsets }) => data_offsets?.[1] ?? 0));
    return size === 8 + length + end ? undefined : `has ${size} bytes and should have ${8 + length + end}`;
  } catch (error) {
    if (error instanceof SyntaxError) return "has a broken header";
    throw error;
  } finally {
    await file.close();
  }
}

/** Undefined for what is not there, or no object. */
async function jsonOf(path: string): Promise<Record<string, unknown> | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (codeOf(error) === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}
