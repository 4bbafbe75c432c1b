import { expect, test } from "vitest";
import { canonicalJson } from "../lib/hash.ts";
import type { Message } from "../records/message.ts";
import { contentOf, isBlank, sameContent } from "./content.ts";

test("a conversation of texts is its canonical JSON", () => {
  const messages: Message[] = [
    { role: "system", content: 'say "hi"\n', name: "é" },
    { role: "assistant", content: "", reasoning: "hm" },
  ];
  expect(contentOf(messages)).toBe(canonicalJson(messages));
  expect(contentOf([])).toBe("[]");
});

function toolTalk(first: string, second: string, answered = first): Message[] {
  const call = (id: string) => ({ id, type: "function" as const, function: { name: "f", arguments: "{}" } });
  return [
    { role: "assistant", content: "", tool_calls: [call(first), call(second)] },
    { role: "tool", content: "4", tool_call_id: answered },
  ];
}

test("ids of tool calls do not count, but which call is answered does", () => {
  expect(contentOf(toolTalk("x", "y"))).toBe(contentOf(toolTalk("p", "q")));
  expect(contentOf(toolTalk("x", "y"))).not.toBe(contentOf(toolTalk("x", "y", "y")));
  expect(sameContent(toolTalk("x", "y"), toolTalk("p", "q"))).toBe(true);
});

test.each<[Partial<Message>]>([[{ content: "b" }], [{ role: "system" }], [{ name: "n" }], [{ reasoning: "r" }]])(
  "messages that differ in %o are different",
  (change) => {
    const message: Message = { role: "user", content: "a" };
    expect(sameContent([message], [{ ...message }])).toBe(true);
    expect(sameContent([message], [{ ...message, ...change }])).toBe(false);
    expect(sameContent([message], [message, message])).toBe(false);
  },
);

test("a call of a tool is a reply, white space is none", () => {
  expect(isBlank([{ role: "assistant", content: " \n" }])).toBe(true);
  expect(isBlank(toolTalk("x", "y"))).toBe(false);
  expect(isBlank([{ role: "assistant", content: [{ type: "image_url" }] }])).toBe(false);
});
