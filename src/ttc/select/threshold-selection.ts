import { z } from "zod";
import type { Component } from "../../registry/registry.ts";
import { bestOfN } from "./best-of-n-selection.ts";

const options = z.strictObject({
  threshold: z.number().default(5).describe("the least score that a candidate needs"),
  otherwise: z
    .enum(["fail", "best"])
    .default("fail")
    .describe("when none reaches it: fail the turn, or take the best all the same"),
});

/** The first candidate whose score reaches the threshold, by candidate order. */
export const thresholdSelection: Component<"selector", typeof options> = {
  description: "the first candidate whose score reaches a threshold",
  options,
  build: ({ options: { threshold, otherwise } }) => {
    return (candidates, question) => {
      const index = candidates.findIndex(({ score }) => score !== null && score >= threshold);
      if (index !== -1) return index;
      return otherwise === "best" ? bestOfN(candidates, question) : null;
    };
  },
};
