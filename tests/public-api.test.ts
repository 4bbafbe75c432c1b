import { readFile } from "node:fs/promises";
import { expect, expectTypeOf, test } from "vitest";
import type { BuildArguments, RunContext, Scorer, WorkflowFunction } from "../src/index.ts";
import * as entry from "../src/index.ts";
import * as testing from "../src/testing/index.ts";

test("the public names are these and no others", () => {
  expect(Object.keys(entry).sort()).toEqual([
    "PairwrightError",
    "chatModel",
    "collect",
    "definePlugin",
    "editRef",
    "evaluatorRef",
    "functionRef",
    "llmRef",
    "scorerRef",
    "searchRef",
    "selectorRef",
    "trainerAdapterRef",
    "trainerRef",
    "trajectoryBuilderRef",
    "z",
  ]);
  expect(Object.keys(testing).sort()).toEqual(["scriptedModel", "startModelServer"]);
});

test("the package has three entries and one command", async () => {
  const manifest = JSON.parse(await readFile("package.json", "utf8")) as Record<string, object>;
  expect(Object.keys(manifest.exports ?? {})).toEqual([".", "./testing", "./package.json"]);
  expect(manifest.bin).toEqual({ pairwright: "dist/cli/main.js" });
});

test("a plugin may narrow what its workflow and scorer take", () => {
  expectTypeOf((question: string, _context: RunContext) => question).toExtend<WorkflowFunction>();
  expectTypeOf((candidate: { text: string }) => candidate.text.length).toExtend<Scorer>();
  expectTypeOf<BuildArguments<{ llm: string }>["options"]>().toEqualTypeOf<{ llm: string }>();
});
