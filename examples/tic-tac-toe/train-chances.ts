import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Message } from "pairwright";
import { chancesOf } from "./evaluate-model-chances.ts";

/** Mean probabilities of a data set's replies, at temperature 1. */
export interface PairChances {
  training: { pairs: number; chosen: number; rejected: number };
  validation: { pairs: number; chosen: number; rejected: number };
}

/** How likely a model is to give the replies that a data set prefers, and those that it rejects. */
export async function pairChances(model: string, dataset: string): Promise<PairChances> {
  return {
    training: await meanChances(model, join(dataset, "training_file.jsonl")),
    validation: await meanChances(model, join(dataset, "validation_file.jsonl")),
  };
}

async function meanChances(model: string, file: string) {
  const rows = (await readFile(file, "utf8"))
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { prompt: Message[]; chosen_response: string; rejected_response: string });
  const mean = async (key: "chosen_response" | "rejected_response") => {
    const chances = await chancesOf(
      model,
      rows.map((row) => ({ prompt: row.prompt, completion: row[key] })),
    );
    return chances.reduce((sum, chance) => sum + chance, 0) / chances.length;
  };
  return { pairs: rows.length, chosen: await mean("chosen_response"), rejected: await mean("rejected_response") };
}
