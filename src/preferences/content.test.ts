import { expect, test } from "vitest";
import { canonicalJson, type Digest, digestOf, sha256 } from "../lib/hash.ts";
import type { Message } from "../records/message.ts";
import { contentOf, isBlank, pairId, sameContent } from "./content.ts";

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

/** The last step of MurmurHash3 as its description has it, in whole numbers of any size. */
function murmurEnd(bits: bigint): bigint {
  const whole = (number: bigint) => number & 0xffffffffn;
  const first = whole((bits ^ (bits >> 16n)) * 0x85ebca6bn);
  const second = whole((first ^ (first >> 13n)) * 0xc2b2ae35n);
  return second ^ (second >> 16n);
}

const SAID = ["question", "chosen", "rejected"];
const DIGESTS = SAID.map(digestOf) as [Digest, Digest, Digest];

test("a pair's id is 128 bits of its three hashes, mixed part by part", () => {
  const hashes = SAID.map(sha256);
  const parts = [0, 8, 16, 24].map((place) => {
    const [question, chosen, rejected] = hashes.map((hash) => BigInt(`0x${hash.slice(place, place + 8)}`));
    const asked = murmurEnd(question ?? 0n) ^ (chosen ?? 0n);
    return murmurEnd(murmurEnd(asked) ^ (rejected ?? 0n))
      .toString(16)
      .padStart(8, "0");
  });
  expect(pairId(...DIGESTS)).toBe(parts.join(""));
});

test("ids differ with each of their three hashes, and with which reply is the better one", () => {
  const ids = new Set<string>();
  for (const question of DIGESTS) {
    for (const chosen of DIGESTS) for (const rejected of DIGESTS) ids.add(pairId(question, chosen, rejected));
  }
  expect(ids.size).toBe(27);
});

test("a digest is the beginning of a SHA-256", () => {
  for (const text of ["", "a", "é".repeat(99)]) {
    for (const digest of [digestOf(text), digestOf(Buffer.from(text))]) {
      expect(Buffer.from(digest.buffer).swap32().toString("hex")).toBe(sha256(text).slice(0, 32));
    }
  }
});
