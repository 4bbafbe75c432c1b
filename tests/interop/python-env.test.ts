import { expect, test } from "vitest";
import { existingPythonEnv, pythonEnv, smolLm2Folder, smolLm2Gguf } from "./python-env.ts";

const { env, skip } = await pythonEnv();

test.skipIf(env === null)(`the packages are there and torch computes on the CPU ${skip ?? ""}`, async () => {
  const said = JSON.parse(await env!.python("versions.py"));

  expect(said).toEqual({
    torch: expect.stringMatching(/^2\./),
    transformers: expect.stringMatching(/^5\./),
    peft: expect.any(String),
    trl: expect.stringMatching(/^1\./),
    datasets: expect.any(String),
    gguf: true,
    product: 14,
    threads: 2,
  });
  expect((await existingPythonEnv())?.dir).toBe(env?.dir);
});

test.skipIf(env === null)(`a real model can be had without a hub ${skip ?? ""}`, async () => {
  expect(await smolLm2Gguf(env!)).toMatch(/SmolLM2-135M.*\.gguf$/i);
  const first = await smolLm2Folder(env!);
  expect(await smolLm2Folder(env!)).toBe(first);
});

test.skipIf(env === null)(`each list of packages is an environment of its own ${skip ?? ""}`, async () => {
  const toolkit = await pythonEnv("requirements-toolkit.txt");
  const hub = await pythonEnv("requirements-hub-0.txt");
  const dirs = [env, toolkit.env, hub.env].map((each) => each?.dir);
  expect(new Set(dirs).size).toBe(3);
  expect(dirs).not.toContain(undefined);
});
