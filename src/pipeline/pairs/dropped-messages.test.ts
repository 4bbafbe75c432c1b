import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeDropped, droppedMessages } from "./dropped-messages.ts";

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-dropped-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const user = (content: string) => ({ role: "user", content });
const system = (content: string) => ({ role: "system", content });

async function droppedOf(prompts: object[][]) {
  const path = join(dir, "pairs.jsonl");
  await writeFile(path, prompts.map((prompt) => `${JSON.stringify({ prompt })}\n`).join(""));
  const dropped = await droppedMessages(path, new AbortController().signal);
  return { ...dropped, told: describeDropped(dropped, path) };
}

test("a system message that is the same in all rows tells nothing apart, and neither does none", async () => {
  const same = await droppedOf([
    [system("You play."), user("a")],
    [system("You play."), user("b")],
  ]);
  expect(same).toEqual({ pairs: 2, different: 1, told: undefined });
  expect(await droppedOf([[user("a")], [user("b")]])).toMatchObject({ different: 1, told: undefined });
});

test("messages that differ between rows are told of, with what to do", async () => {
  const sides = await droppedOf([
    [system("You play X."), user("a")],
    [system("You play O."), user("a")],
    [{ content: "You play X.", role: "system" }, user("b")],
  ]);
  expect(sides).toMatchObject({ pairs: 3, different: 2 });
  expect(sides.told).toContain("2 different ones in the 3 pairs");
  expect(sides.told).toContain("set it to true");
});
