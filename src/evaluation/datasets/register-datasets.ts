import type { Registry } from "../../registry/registry.ts";
import { csvDataset } from "./csv-dataset.ts";
import { jsonDataset } from "./json-dataset.ts";
import { jsonlDataset } from "./jsonl-dataset.ts";

/** Adds the data sets that come with the program: `json`, `jsonl` and `csv`. */
export function registerDatasets(registry: Registry): void {
  registry.dataset("json", jsonDataset);
  registry.dataset("jsonl", jsonlDataset);
  registry.dataset("csv", csvDataset);
}
