import { resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestPlatform } from "../platform/__fixtures__/test-platform.ts";
import { useEmbeddedPlatform } from "./embedded-platform.ts";

const folder = resolve("examples/tic-tac-toe/base-model");
let platform: Awaited<ReturnType<typeof startTestPlatform>>;
beforeAll(async () => {
  platform = await startTestPlatform({ models: [`player=${folder}`] });
});
afterAll(() => platform.stop());

const use = (models: Record<string, string>) => useEmbeddedPlatform({ dir: platform.dir, models });

test.each(["player", "local/player", "player@v1.0.0", "player@v1.0.0+CPU", "local/player@v1.0.0+CPU"])(
  "a platform that runs has the model %s, however short its name is",
  async (name) => {
    const used = await use({ [name]: folder });
    expect(used).toMatchObject({ origin: platform.origin, started: false });
    used.release();
  },
);

test.each([
  ["play", folder],
  ["other/player", folder],
  ["player", "/nowhere"],
])("a platform that runs without the model %s in %s says which it has", async (name, dir) => {
  await expect(use({ [name]: dir })).rejects.toMatchObject({
    code: "platform_lacks_model",
    what: expect.stringContaining("local/player@v1.0.0+CPU"),
  });
});
