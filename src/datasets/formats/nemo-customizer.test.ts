import { expect, test } from "vitest";
import type { Message } from "../../records/message.ts";
import type { UnsplitPair } from "../../records/pair.ts";
import { nemoCustomizer } from "./nemo-customizer.ts";

const system: Message = { role: "system", content: "Be brief." };
const user: Message = { role: "user", content: "why?" };
const reply = (content: Message["content"], more: Partial<Message> = {}): Message[] => [
  { role: "assistant", content, ...more },
];
const call = { type: "function" as const, function: { name: "f", arguments: "{}" } };

function pair(change: Partial<UnsplitPair> = {}): UnsplitPair {
  return { prompt: [user], chosen: reply("good"), rejected: reply("bad"), ...change } as UnsplitPair;
}
const short = { use_full_message_history: false };
const full = { use_full_message_history: true };

test("the prompt is the last message's text, or all messages as role and content", () => {
  const given = pair({
    prompt: [
      system,
      {
        ...user,
        content: [
          { type: "text", text: "wh" },
          { type: "text", text: "y?" },
        ],
      },
    ],
  });
  expect(nemoCustomizer.row(given, short)).toEqual({
    row: { prompt: "why?", chosen_response: "good", rejected_response: "bad" },
    lost: ["history"],
  });
  expect(nemoCustomizer.row(given, full)).toEqual({
    row: {
      prompt: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "why?" },
      ],
      chosen_response: "good",
      rejected_response: "bad",
    },
    lost: [],
  });
  expect(nemoCustomizer.prompt(given, short)).toBe("why?");
});

test("a reply that is more than a text has no row", () => {
  const calls = reply("", { tool_calls: [call] });
  expect(nemoCustomizer.row(pair({ chosen: calls }), short)).toEqual({ row: null, lost: ["tool_calls"] });
  expect(nemoCustomizer.row(pair({ rejected: calls }), full)).toEqual({ row: null, lost: ["tool_calls"] });
  const several = [...reply("a"), ...reply("b")];
  expect(nemoCustomizer.row(pair({ rejected: several }), full)).toEqual({ row: null, lost: ["several_messages"] });
});

test.each<[string, Message[], boolean]>([
  ["a call", [user, { role: "assistant", content: "", tool_calls: [call] }, user], false],
  ["a result", [user, { role: "tool", content: "4", tool_call_id: "c" }], true],
])("a prompt with %s of a tool has no row, where that part of it would be written", (_, prompt, isLast) => {
  const none = { row: null, lost: ["tool_calls"] };
  expect(nemoCustomizer.row(pair({ prompt }), full)).toEqual(none);
  if (isLast) expect(nemoCustomizer.row(pair({ prompt }), short)).toEqual(none);
  else expect(nemoCustomizer.row(pair({ prompt }), short).row).toMatchObject({ prompt: "why?" });
});

test.each<[string, Partial<UnsplitPair>, boolean]>([
  ["tools", { tools: [{ type: "function", function: { name: "f" } }] }, false],
  ["reasoning", { chosen: reply("good", { reasoning: "hm" }) }, false],
  ["name", { prompt: [{ ...user, name: "Ann" }] }, false],
  ["content_parts", { prompt: [{ role: "user", content: [{ type: "image_url" }] }] }, false],
])("%s that a row cannot hold is named", (name, change) => {
  const { row, lost } = nemoCustomizer.row(pair(change), full);
  expect(row).not.toBeNull();
  expect(lost).toEqual([name]);
});
