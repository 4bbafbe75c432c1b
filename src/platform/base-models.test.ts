import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { trainingPlace } from "../engine/__fixtures__/model-folder.ts";
import { readBaseModels } from "./base-models.ts";

const FACTS = { context_size: 128, is_chat: expect.any(Boolean), num_parameters: expect.any(Number) };

test("a folder is called as it is called, or as it is said, and a name may say all of it", async () => {
  await using place = await trainingPlace();
  const named = async (entry: string) => (await readBaseModels([entry]))[0];
  expect(await named(place.model)).toEqual({
    ...{ namespace: "local", base: "model", version: "v1.0.0", machine: "CPU", dir: place.model },
    ...FACTS,
  });
  expect(await named(`tiny=${place.model}`)).toMatchObject({ namespace: "local", base: "tiny" });
  expect(await named(`meta/llama-3.1-8b-instruct@v2.0+80GB=${place.model}`)).toMatchObject({
    ...{ namespace: "meta", base: "llama-3.1-8b-instruct", version: "v2.0", machine: "80GB" },
  });
});

test("a folder base-model is called as the one that it lies in, and a folder may have an equals sign in its name", async () => {
  await using place = await trainingPlace();
  const base = join(place.dir, "game", "base-model");
  const odd = join(place.dir, "a=b");
  for (const dir of [base, odd]) await cp(place.model, dir, { recursive: true });
  expect((await readBaseModels([base]))[0]).toMatchObject({ base: "game", dir: base });
  await expect(readBaseModels([odd])).rejects.toMatchObject({ code: "model_name", exit_code: 2 });
  expect((await readBaseModels([`odd=${odd}`]))[0]).toMatchObject({ base: "odd", dir: odd });
});

test("what is no model folder is an error that names the file", async () => {
  await using place = await trainingPlace();
  const empty = join(place.dir, "empty");
  await mkdir(empty);
  for (const dir of [empty, join(place.dir, "nowhere")]) {
    await expect(readBaseModels([`x=${dir}`])).rejects.toMatchObject({ where: join(dir, "config.json"), exit_code: 2 });
  }
});

test("one folder may have two names, two folders may not have one", async () => {
  await using place = await trainingPlace();
  expect(await readBaseModels([`meta/a@v1+A100=${place.model}`, `meta/a@v1+80GB=${place.model}`])).toHaveLength(2);
  const other = join(place.dir, "other");
  await cp(place.model, other, { recursive: true });
  const taken = readBaseModels([`meta/a@v1+A100=${place.model}`, `meta/a@v2+A100=${other}`]);
  await expect(taken).rejects.toMatchObject({ code: "model_name_taken" });
});
