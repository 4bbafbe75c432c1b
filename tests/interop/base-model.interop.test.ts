import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { illegalReason, SQUARES } from "../../examples/tic-tac-toe/board.ts";
import { moveChances } from "../../examples/tic-tac-toe/evaluate-model-chances.ts";
import { openLocalModel } from "../../examples/tic-tac-toe/local-model.ts";
import { reachablePositions } from "../../examples/tic-tac-toe/positions.ts";
import { correction, formatMove, movePrompt } from "../../examples/tic-tac-toe/prompt.ts";
import { seededRandom } from "../../src/lib/random.ts";
import type { Message } from "../../src/records/message.ts";
import { openChatTemplate } from "../../src/tokens/open-chat-template.ts";
import { openTokenizer } from "../../src/tokens/open-tokenizer.ts";
import { pythonEnv } from "./python-env.ts";
import { runJob } from "./support.ts";

const { env, skip } = await pythonEnv();

/** What `base_model.py` writes. */
interface Theirs {
  parameters: number;
  conversations: { ids: number[]; chances: number[]; greedy: string }[];
  texts: { ids: number[]; decoded: string }[];
}

const BASE = fileURLToPath(new URL("../../examples/tic-tac-toe/base-model", import.meta.url));
const POSITIONS = reachablePositions().filter((_, index) => index % 32 === 1);

test.skipIf(skip !== null)(
  "transformers reads the example's base model as we do: ids, probabilities, greedy replies",
  async () => {
    if (env === null) return;
    const tokenizer = await openTokenizer(BASE);
    const template = await openChatTemplate(BASE);
    const asked = POSITIONS.map((position) => movePrompt(position));
    const corrected = POSITIONS.map((position, index): Message[] => {
      const taken = SQUARES.find((square) => illegalReason(position.board, square)) ?? { row: 1, col: 1 };
      const told = correction(position, illegalReason(position.board, taken) ?? "");
      return [...(asked[index] ?? []), { role: "assistant", content: formatMove(taken) }, told];
    });
    const texts = strangeTexts(200);
    const conversations = [...asked, ...corrected];

    const theirs = await runJob<Theirs>(env, "base_model.py", {
      model: BASE,
      conversations,
      replies: SQUARES.map(formatMove),
      texts,
    });

    expect(theirs.parameters).toBe(130_304);
    expect(theirs.conversations).toHaveLength(2 * POSITIONS.length);
    await using model = await openLocalModel(BASE);
    for (const [index, messages] of conversations.entries()) {
      const ids = tokenizer.encode(template.render(messages, { add_generation_prompt: true }));
      expect(ids).toEqual(theirs.conversations[index]?.ids);
      expect((await model.reply({ messages, temperature: 0 })).content).toBe(theirs.conversations[index]?.greedy);
    }
    const chances = await moveChances(BASE, POSITIONS);
    for (const [index, own] of chances.entries()) {
      const other = theirs.conversations[index]?.chances ?? [];
      for (const [square, chance] of own.entries()) expect(Math.abs(chance - (other[square] ?? 1))).toBeLessThan(1e-5);
    }
    expect(texts.map((text) => tokenizer.encode(text))).toEqual(theirs.texts.map(({ ids }) => ids));
    expect(theirs.texts.map(({ decoded }) => decoded)).toEqual(texts);
  },
);

/** Pieces of the game's phrases among letters of all kinds, and marks that mean something only here. */
function strangeTexts(count: number): string[] {
  const pieces = [
    ..."aZ09 \n\t_XO<>/|.,:;'\"\\éß漢🙂\u0000\u00a0\u200b\u0301\ufeff",
    ...[
      "1 X _ O\n",
      "  1 2 3\n",
      "<move>\n  <row>1",
      "</row>\n  <col>",
      "</col>\n</move>",
      "row 1, column 2",
      " is taken by X",
    ],
    ...["<|end|>", "<|assistant|>", "<|tool|>", "\r\n", "It's 1,000.50", "👨‍👩‍👧"],
  ];
  const random = seededRandom(7);
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + Math.floor(random() * 12) }, () => pieces[Math.floor(random() * pieces.length)]).join(""),
  );
}
