import { mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { llamaConfig } from "../src/engine/__fixtures__/llama-config.ts";
import { parameterShapes, sizeOf, type Tensor } from "../src/engine/model/parameters.ts";
import { writeGguf } from "./support/gguf-file.ts";
import { perform } from "./support/perform.ts";
import { jsonOf, startPairwright } from "./support/program.ts";
import { randomParameters } from "./support/random-parameters.ts";
import { ggufOf, TOKENS } from "./support/tiny-gguf.ts";

const cwd = await mkdtemp(join(tmpdir(), "pairwright-model-import-"));
const config = llamaConfig({ vocab_size: TOKENS.length });
const parameters = randomParameters(config);
await writeGguf(join(cwd, "tiny.gguf"), ggufOf(config, parameters));
const run = (...args: string[]) => perform(["model", "import", ...args], { cwd });

test("a GGUF file becomes a folder, and the folder another one in bfloat16", async () => {
  const first = await run("tiny.gguf", "tiny", "--json");
  expect(first).toMatchObject({ code: 0 });
  expect(jsonOf(first)).toEqual({
    output: "tiny",
    format: "gguf",
    dtype: "f32",
    parameters: 3920,
    tensors: 20,
    vocab: 24,
    types: { F32: 20 },
    config: { ...config, rms_norm_eps: Math.fround(1e-5) },
  });

  const second = await run("tiny", "half", "--dtype", "bf16");
  expect(second).toMatchObject({ code: 0, stderr: "" });
  expect(second.stdout).toBe(
    "llama, 3,920 parameters in 20 tensors\ntokenizer of 24 tokens; at most 64 tokens of text\nwritten to half in bf16\n",
  );
  expect(JSON.parse(await readFile(join(cwd, "half", "config.json"), "utf8"))).toMatchObject({
    torch_dtype: "bfloat16",
  });
});

test("a folder with something in it is replaced only when asked", async () => {
  expect(await run("tiny.gguf", "twice")).toMatchObject({ code: 0 });
  const refused = await run("tiny.gguf", "twice", "--json");
  expect(refused.code).toBe(2);
  expect(jsonOf(refused)).toEqual({
    error: {
      code: "output_not_empty",
      where: "twice",
      what: "there is something here already",
      fix: "name a new folder, or remove this one",
    },
  });
  expect(await run("tiny.gguf", "twice", "--overwrite", "--dtype", "f16")).toMatchObject({ code: 0 });
  // Nothing but a model is replaced, and not the one that is read.
  await mkdir(join(cwd, "mine"));
  await writeFile(join(cwd, "mine", "keep.txt"), "mine");
  for (const [source, dir] of [
    ["tiny.gguf", "mine"],
    ["tiny.gguf", "."],
    ["twice", "twice"],
  ] as const) {
    expect(await run(source, dir, "--overwrite")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("error[output_not_empty]"),
    });
  }
  expect(await readFile(join(cwd, "mine", "keep.txt"), "utf8")).toBe("mine");
});

test("what cannot be imported is one error with exit code 2, and leaves nothing", async () => {
  const bytes = await readFile(join(cwd, "tiny.gguf"));
  await writeFile(join(cwd, "cut.gguf"), bytes.subarray(0, -100));
  const cut = await run("cut.gguf", "never");
  expect(cut.code).toBe(2);
  expect(cut.stderr).toMatch(/^error\[bad_gguf\]: cut\.gguf: tensor .* it is truncated\n {2}fix: /);

  expect(jsonOf(await run("none", "never", "--json"))).toMatchObject({
    error: { code: "model_not_found", where: "none" },
  });
  expect(jsonOf(await run("tiny.gguf", "never", "--dtype", "int8", "--json"))).toMatchObject({
    error: { code: "usage", where: "--dtype", what: '"int8" is not one of f32, bf16, f16' },
  });
  expect((await readdir(cwd)).filter((name) => name.includes("never"))).toEqual([]);
});

test("Ctrl-C ends it with exit code 130 and leaves nothing", async () => {
  const deep = llamaConfig({
    vocab_size: TOKENS.length,
    num_hidden_layers: 400,
    hidden_size: 64,
    intermediate_size: 128,
  });
  const zeros = [...parameterShapes(deep)].map(([name, shape]): [string, Tensor] => {
    return [name, { shape, data: new Float32Array(sizeOf(shape)) }];
  });
  await writeGguf(join(cwd, "deep.gguf"), ggufOf(deep, new Map(zeros)));
  const { child, ended } = startPairwright(["model", "import", "deep.gguf", "stopped"], { cwd });
  const started = async () => (await readdir(cwd)).some((name) => name.startsWith(".stopped."));
  while (!(await started())) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill("SIGINT");

  expect(await ended).toMatchObject({ code: 130, stderr: expect.stringContaining("error[interrupted]") });
  expect((await readdir(cwd)).filter((name) => name.includes("stopped"))).toEqual([]);
});
