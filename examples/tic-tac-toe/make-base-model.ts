/**
 * `npx jiti examples/tic-tac-toe/make-base-model.ts [DIR]`: makes `base-model/` anew, from nothing, on one thread; about a minute.
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { modelCard } from "./base-model-card.ts";
import { makeBaseModel, STEPS } from "./base-model-recipe.ts";
import { evaluateModel } from "./evaluate-model-report.ts";

const [dir = fileURLToPath(new URL("base-model", import.meta.url))] = process.argv.slice(2);

process.stderr.write(`Training a model of random games, ${STEPS} steps…\n`);
await makeBaseModel(dir, { steps: STEPS, seed: 0 });
process.stderr.write("Measuring what it does in every position…\n");
const report = await evaluateModel(dir);
const weights = await readFile(join(dir, "model.safetensors"));
const sha256 = createHash("sha256").update(weights).digest("hex");
await writeFile(join(dir, "README.md"), modelCard(report, { sha256, bytes: weights.length }));
process.stdout.write(`${dir}\nmodel.safetensors ${sha256}\n`);
