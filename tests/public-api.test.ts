import { readFile } from "node:fs/promises";
import { expect, expectTypeOf, test } from "vitest";
import * as engine from "../src/engine/index.ts";
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
  expect(Object.keys(testing).sort()).toEqual([
    "fakeTrainerAdapter",
    "scriptedModel",
    "startModelServer",
    "stepsInMemory",
    "trainingBackendContract",
  ]);
});

test("the engine's names are these and no others", () => {
  expect(Object.keys(engine).sort()).toEqual([
    "TrainingJob",
    "TrainingOptions",
    "createRowEncoder",
    "initialWeights",
    "mergeAdapter",
    "openChatTemplate",
    "openGenerator",
    "openModelThread",
    "openSequenceScorer",
    "openTokenizer",
    "readAdapter",
    "readModelFolder",
    "streamText",
    "trainInProcess",
    "trainModel",
    "trainingDataBuilder",
    "writeAdapter",
    "writeModelFolder",
  ]);
});

test("the package has four entries and one command", async () => {
  const manifest = JSON.parse(await readFile("package.json", "utf8")) as Record<string, object>;
  expect(Object.keys(manifest.exports ?? {})).toEqual([".", "./engine", "./testing", "./package.json"]);
  expect(manifest.bin).toEqual({ pairwright: "dist/cli/main.js" });
});

test("a plugin may narrow what its workflow and scorer take", () => {
  expectTypeOf((question: string, _context: RunContext) => question).toExtend<WorkflowFunction>();
  expectTypeOf((candidate: { text: string }) => candidate.text.length).toExtend<Scorer>();
  expectTypeOf<BuildArguments<{ llm: string }>["options"]>().toEqualTypeOf<{ llm: string }>();
});
