import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TINY } from "../../tokens/__fixtures__/tiny-tokenizer.ts";
import { trainingPlace } from "../__fixtures__/model-folder.ts";
import { readTextModel } from "./text-model.ts";

test("a reply ends where the template ends a turn, also when no file lists that token", async () => {
  await using place = await trainingPlace();
  const config = join(place.model, "tokenizer_config.json");
  const text = await readFile(config, "utf8");
  await writeFile(config, text.replace('"eos_token": "<|im_end|>"', '"eos_token": "<|endoftext|>"'));
  await writeFile(join(place.model, "generation_config.json"), "{}");

  const finishes = async (raw: boolean) => {
    const model = await readTextModel(place.model, { raw });
    const generator = await model.open({ threads: 1, max_batch: 1 });
    const request = { prompt: model.encode("hello"), max_tokens: 4, temperature: 0, logit_bias: { [TINY.im_end]: 50 } };
    const [completion] = await generator.generate(request);
    await generator.close();
    return completion?.finish_reason;
  };
  expect(await finishes(false)).toBe("stop");
  expect(await finishes(true)).toBe("length");
});
