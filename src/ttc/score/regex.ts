import { z } from "zod";
import { timedRegex } from "../../lib/timed-regex.ts";
import type { Component } from "../../registry/registry.ts";
import { regexProblem } from "./regex-problem.ts";

const options = z
  .strictObject({
    pattern: z.string().min(1).describe("a JavaScript regular expression, without slashes"),
    flags: z
      .string()
      .regex(/^[imsuv]*$/, "flags are i, m, s and one of u, v")
      .default(""),
    mode: z.enum(["search", "full"]).default("search").describe("full: the whole reply, outer white space aside"),
    expect: z.enum(["match", "no_match"]).default("match").describe("which of the two scores 1"),
  })
  .superRefine(({ pattern, flags }, context) => {
    const badFlags = regexProblem("", flags);
    const message = badFlags ?? regexProblem(pattern, flags);
    if (message === undefined) return;
    context.addIssue({ code: "custom", path: [badFlags === undefined ? "pattern" : "flags"], message });
  });

/**
 * 1 when the reply matches the pattern, else 0; the other way round with `expect: no_match`. A pattern that does not come
 * to an end within a second (see `lib/timed-regex.ts`) fails that one candidate.
 */
export const regex: Component<"scorer", typeof options> = {
  description: "1 when the reply matches a regular expression, else 0.",
  options,
  build: ({ options: { pattern, flags, mode, expect } }) => {
    // Look-arounds instead of ^ and $, which the flag m would let match at every line.
    const source = mode === "full" ? `(?<![\\s\\S])(?:${pattern})(?![\\s\\S])` : pattern;
    const find = timedRegex(new RegExp(source, flags));
    return ({ text }) => {
      const matches = find(mode === "full" ? text.trim() : text).length > 0;
      return { score: matches === (expect === "match") ? 1 : 0, reason: matches ? "it matches" : "it does not match" };
    };
  },
};
