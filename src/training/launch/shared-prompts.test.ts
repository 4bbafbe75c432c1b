import { expect, test } from "vitest";
import type { LaunchRow } from "./launch-row.ts";
import { SharedPrompts } from "./shared-prompts.ts";

const row = (prompt: string): LaunchRow => ({ prompt, chosen: [], rejected: [], tools: undefined });
const places = async (side: string, numbers: readonly number[]) => ({ file: `${side}.jsonl`, lines: [...numbers] });

test("of more prompts than are kept the first are looked for, and that is said", async () => {
  const few = new SharedPrompts(3);
  for (const [at, prompt] of ["a", "b", "a", "c", "b"].entries()) few.addValidation(row(prompt), at + 1);
  expect(await few.finding(places)).toMatchObject({ status: "ok", detail: expect.stringMatching(/^none of 3 /) });

  few.addValidation(row("d"), 6);
  for (const prompt of ["d", "c", "c", "a"]) few.addTraining(row(prompt));
  expect(await few.finding(places)).toMatchObject({
    status: "warning",
    detail: expect.stringMatching(
      /^2 of the first 3 prompts .*\(lines 1, 4 of validation.jsonl\) .*\(training.jsonl\)/,
    ),
  });
});

test("a few of many are named", async () => {
  const many = new SharedPrompts();
  for (let at = 1; at <= 9; at += 1) {
    many.addValidation(row(`prompt ${at}`), at);
  }
  for (let at = 3; at <= 9; at += 1) many.addTraining(row(`prompt ${at}`));
  expect((await many.finding(places)).detail).toMatch(/^7 of 9 .*\(lines 3, 4, 5, 6, 7, … of validation.jsonl\)/);
});
