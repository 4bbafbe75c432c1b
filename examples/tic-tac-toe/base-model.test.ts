import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ChatTemplate } from "../../src/tokens/chat-template.ts";
import { openChatTemplate } from "../../src/tokens/open-chat-template.ts";
import { openTokenizer } from "../../src/tokens/open-tokenizer.ts";
import type { Tokenizer } from "../../src/tokens/tokenizer.ts";
import { makeBaseModel } from "./base-model-recipe.ts";
import { randomGameRows, seededRandom } from "./base-model-rows.ts";
import { EMPTY_BOARD, illegalReason, legalMoves, SQUARES } from "./board.ts";
import { moveChances } from "./evaluate-model-chances.ts";
import { chanceFigures } from "./evaluate-model-report.ts";
import { openLocalModel } from "./local-model.ts";
import { reachablePositions } from "./positions.ts";
import { correction, formatMove, movePrompt, parseMove, readBoard } from "./prompt.ts";

const BASE = fileURLToPath(new URL("base-model", import.meta.url));
/** Every fourth position: the card tells of all of them. */
const POSITIONS = reachablePositions().filter((_, index) => index % 4 === 0);

let dir = "";
let tokenizer: Tokenizer;
let template: ChatTemplate;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-base-model-test-"));
  tokenizer = await openTokenizer(BASE);
  template = await openChatTemplate(BASE);
});
afterAll(() => rm(dir, { recursive: true }));

async function filesOf(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).filter((name) => name !== "README.md").sort();
  const hashes = await Promise.all(
    names.map(async (name) =>
      createHash("sha256")
        .update(await readFile(join(folder, name)))
        .digest("hex"),
    ),
  );
  return Object.fromEntries(names.map((name, index) => [name, hashes[index] ?? ""]));
}

test("the recipe gives the same bytes again, and beside the weights the very files that are there", async () => {
  for (const name of ["one", "two"]) await makeBaseModel(join(dir, name), { steps: 3, seed: 0 });
  const [one, two, shipped] = [await filesOf(join(dir, "one")), await filesOf(join(dir, "two")), await filesOf(BASE)];

  expect(one).toEqual(two);
  expect(Object.keys(one)).toHaveLength(5);
  expect({ ...one, "model.safetensors": "" }).toEqual({ ...shipped, "model.safetensors": "" });
  await makeBaseModel(join(dir, "other"), { steps: 3, seed: 1 });
  expect((await filesOf(join(dir, "other")))["model.safetensors"]).not.toBe(one["model.safetensors"]);
});

test("the folder is within 3 MB, and its card tells the hash of its weights", async () => {
  const sizes = await Promise.all((await readdir(BASE)).map(async (name) => (await stat(join(BASE, name))).size));
  expect(sizes).toHaveLength(6);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(3_000_000);

  const card = await readFile(join(BASE, "README.md"), "utf8");
  expect(card).toContain((await filesOf(BASE))["model.safetensors"]);
});

test("at temperature 1 it is well-formed and legal, and no better than random at choosing", async () => {
  expect(POSITIONS).toHaveLength(1130);
  const figures = chanceFigures(POSITIONS, await moveChances(BASE, POSITIONS));
  const atRandom = POSITIONS.map(({ board }) => {
    const legal = legalMoves(board);
    return SQUARES.map((square) => (illegalReason(board, square) === undefined ? 1 / legal.length : 0));
  });

  expect(figures.well_formed).toBeGreaterThan(0.98);
  expect(figures.legal).toBeGreaterThan(0.97);
  expect(Math.abs(figures.keeps_value - chanceFigures(POSITIONS, atRandom).keeps_value)).toBeLessThan(0.01);
});

test("it answers with moves, also when it is told that a square was taken", async () => {
  await using model = await openLocalModel(BASE, { threads: 1 });
  let asked = 0;
  for (const position of POSITIONS.filter((_, index) => index % 36 === 1)) {
    const taken = SQUARES.find((square) => illegalReason(position.board, square) !== undefined) ?? SQUARES[0]!;
    const messages = movePrompt(position);
    const again = [
      ...messages,
      { role: "assistant" as const, content: formatMove(taken) },
      correction(position, illegalReason(position.board, taken) ?? ""),
    ];
    for (const prompt of [messages, again]) {
      const { content, finish_reason } = await model.reply({ messages: prompt, temperature: 0 });
      const { move } = parseMove(content);
      expect(finish_reason).toBe("stop");
      expect(legalMoves(position.board)).toContainEqual(move);
      asked += 1;
    }
  }
  expect(asked).toBeGreaterThanOrEqual(60);
});

test("the same request gives the same reply in any company, another seed another one", async () => {
  await using model = await openLocalModel(BASE, { threads: 1 });
  const messages = movePrompt({ board: EMPTY_BOARD, player: 1 });
  const alone = [];
  for (let seed = 0; seed < 20; seed += 1) alone.push(await model.reply({ messages, seed }));
  const together = await Promise.all(alone.map((_, seed) => model.reply({ messages, seed })));

  expect(together).toEqual(alone);
  expect(new Set(alone.map(({ content }) => content)).size).toBeGreaterThan(4);
});

test("every position is asked in nine tokens, every move answered in four, a correction in fourteen more", () => {
  for (const position of POSITIONS) {
    const messages = movePrompt(position);
    const prompt = template.render(messages, { add_generation_prompt: true });
    expect(tokenizer.encode(prompt)).toHaveLength(9);
    const taken = SQUARES.find((square) => illegalReason(position.board, square) !== undefined);
    if (taken === undefined) continue;
    const told = correction(position, illegalReason(position.board, taken) ?? "");
    const again = [...messages, { role: "assistant" as const, content: formatMove(taken) }, told];
    const conversation = template.render(again, { add_generation_prompt: true });
    expect(conversation.startsWith(prompt)).toBe(true);
    expect(tokenizer.encode(conversation)).toHaveLength(9 + 14);
  }
  for (const square of SQUARES) {
    const ids = tokenizer.encode(`${formatMove(square)}<|end|>`);
    expect(ids).toHaveLength(4);
    expect(ids.at(-1)).toBe(tokenizer.eos_ids[0]);
    expect(tokenizer.decode(ids)).toBe(formatMove(square));
  }
});

test("any other text is its bytes, and comes back as it was", () => {
  const random = seededRandom(1);
  const pieces = [
    "é",
    "漢",
    "🙂",
    "\u0000",
    "\r\n",
    "  1 2 3\n",
    "1 X _ O\n",
    "<move>",
    "_",
    " ",
    "row 1, column 2",
    "\u{10ffff}",
    "a",
  ];
  for (let round = 0; round < 200; round += 1) {
    const text = Array.from({ length: 12 }, () => pieces[Math.floor(random() * pieces.length)]).join("");
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  }
  expect(tokenizer.encode("é")).toHaveLength(2);
});

test("the rows to learn from are legal moves of both sides at every stage, some after a correction", () => {
  const rows = randomGameRows(20_000, seededRandom(0));
  expect(rows).toHaveLength(20_000);
  expect(randomGameRows(100, seededRandom(0))).toEqual(rows.slice(0, 100));
  const stages = new Set<number>();
  let corrected = 0;
  for (const { prompt, completion } of rows) {
    const board = readBoard(String(prompt.at(-1)?.content)) ?? [];
    const { move } = parseMove(completion);
    expect(move && illegalReason(board, move)).toBeUndefined();
    stages.add(legalMoves(board).length);
    if (prompt.length > 2) corrected += 1;
  }
  expect([...stages].sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(corrected / rows.length).toBeGreaterThan(0.07);
  expect(corrected / rows.length).toBeLessThan(0.1);
});
