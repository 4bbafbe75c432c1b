import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { llamaConfig } from "../../src/engine/__fixtures__/llama-config.ts";
import { loraShapes, mergeAdapter } from "../../src/engine/model/lora.ts";
import { LINEAR_MODULES, type Parameters } from "../../src/engine/model/parameters.ts";
import { mergedSource, readAdapter, type StoredAdapter, writeAdapter } from "../../src/engine/weights/adapter.ts";
import { openTensorFile } from "../../src/engine/weights/tensor-file.ts";
import { tensorSource } from "../../src/engine/weights/tensor-source.ts";
import { writeModelFolder } from "../../src/engine/weights/write-model-folder.ts";
import { randomParameters, randomTensors } from "../support/random-parameters.ts";
import { pythonEnv } from "./python-env.ts";
import { runJob, temporaryFolder } from "./support.ts";

const { env, skip } = await pythonEnv();

const config = llamaConfig();
const parameters = randomParameters(config, 4);
const shape = { rank: 3, target_modules: [...LINEAR_MODULES] };
const adapter: StoredAdapter = {
  ...shape,
  alpha: 7,
  tensors: randomTensors(loraShapes(config, shape), 5),
  base_model_name_or_path: "base",
};

type Logits = number[][];
let dir: string;
let report: { ours: Logits; theirs: Logits; folder: Logits };

beforeAll(async () => {
  if (env === null) return;
  dir = await temporaryFolder("adapter");
  const at = (name: string) => join(dir, name);
  await writeModelFolder(at("base"), { config, parameters, dtype: "F32" });
  await writeAdapter(at("adapter"), adapter);
  const merged = mergedSource(tensorSource(parameters), adapter);
  await writeModelFolder(at("merged-folder"), { config, parameters: merged, dtype: "F32" });
  await mkdir(at("theirs"));
  report = await runJob(env, "adapter.py", {
    model: at("base"),
    adapter: at("adapter"),
    merged: at("merged.safetensors"),
    merged_folder: at("merged-folder"),
    theirs: at("theirs"),
    theirs_merged: at("theirs.safetensors"),
    target_modules: ["q_proj", "v_proj", "down_proj"],
    ids: [1, 5, 9, 2, 23, 0, 17],
  });
});
afterAll(async () => {
  if (env !== null) await rm(dir, { recursive: true, force: true });
});

/** The largest difference of all numbers of two models, and how many tensors were compared. */
async function difference(path: string, ours: Parameters): Promise<{ most: number; tensors: number }> {
  await using file = await openTensorFile(path);
  let most = 0;
  for (const [name, { data }] of ours) {
    const theirs = await file.read(name);
    for (const [i, number] of data.entries()) most = Math.max(most, Math.abs(number - (theirs[i] ?? Number.NaN)));
  }
  return { most, tensors: file.header.tensors.size };
}

function furthest(one: Logits, other: Logits): number {
  return Math.max(...one.flatMap((row, t) => row.map((x, v) => Math.abs(x - (other[t]?.[v] ?? Number.NaN)))));
}

test.skipIf(env === null)(`our adapter loads in PEFT, and its merge is ours ${skip ?? ""}`, async () => {
  const { most, tensors } = await difference(join(dir, "merged.safetensors"), mergeAdapter(parameters, adapter));
  expect(tensors).toBe(20);
  expect(most).toBeLessThan(1e-6);
  // It does something, and the merged folder computes what base and adapter compute.
  expect((await difference(join(dir, "merged.safetensors"), parameters)).most).toBeGreaterThan(0.1);
  expect(report.ours.length).toBe(7);
  expect(furthest(report.ours, report.folder)).toBeLessThan(1e-5);
});

test.skipIf(env === null)(
  `an adapter that PEFT wrote is read here, and merged as PEFT merges it ${skip ?? ""}`,
  async () => {
    const theirs = await readAdapter(join(dir, "theirs"));
    expect(theirs).toMatchObject({
      rank: 4,
      alpha: 6,
      target_modules: ["q_proj", "v_proj", "down_proj"],
      base_model_name_or_path: join(dir, "base"),
    });
    expect(theirs.tensors.size).toBe(12);
    expect((await difference(join(dir, "theirs.safetensors"), mergeAdapter(parameters, theirs))).most).toBeLessThan(
      1e-6,
    );
    expect(furthest(report.theirs, report.ours)).toBeGreaterThan(1e-3);
  },
);
