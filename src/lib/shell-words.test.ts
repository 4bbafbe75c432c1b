import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { shellCommand, shellWord } from "./shell-words.ts";

test("a shell reads every word as it was, whatever is in it", () => {
  const words = [
    "plain",
    "",
    "two words",
    "it's",
    '"$HOME" `id` \\',
    "a;b&c|d>e",
    "line\nbreak",
    "*?[x]",
    "~",
    "#no",
    "é",
  ];
  expect(words).toHaveLength(11);
  const printed = execFileSync("sh", ["-c", `printf '%s\\0' ${shellCommand(words)}`], { encoding: "utf8" });
  expect(printed.split("\0").slice(0, -1)).toEqual(words);
});

test("what needs no quotes has none", () => {
  expect(shellWord("./a-b_c/d.e=f:g@h,i%j+1")).toBe("./a-b_c/d.e=f:g@h,i%j+1");
});
