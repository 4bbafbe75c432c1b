import { z } from "zod";
import { indexOfBest } from "../../lib/index-of-best.ts";
import type { Component } from "../../registry/registry.ts";
import type { Selector } from "../../registry/workflow.ts";

const options = z.strictObject({});

/** The best score; of equal ones the first, by candidate order. Where none has a score: the first. */
export const bestOfN: Selector = (candidates) => {
  const best = indexOfBest(candidates.map(({ score }) => score));
  return best === -1 ? null : best;
};

export const bestOfNSelection: Component<"selector", typeof options> = {
  description: "the candidate with the best score; the first of equals",
  options,
  build: () => bestOfN,
};
