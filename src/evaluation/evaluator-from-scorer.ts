import type { z } from "zod";
import type { Message } from "../records/message.ts";
import type { RunRecord } from "../records/run.ts";
import { noUsage } from "../records/usage.ts";
import type { Evaluation } from "../registry/evaluator.ts";
import type { Component } from "../registry/registry.ts";
import type { Candidate, Example, Question, ScoreResult } from "../registry/workflow.ts";

/**
 * The same component as an evaluator: what scores a candidate inside a workflow scores the workflow's output after it.
 * The output is the candidate's text (a string as it is, nothing as the empty text, anything else as JSON), the input
 * its question, and the run's answer the right one where the data-set row is not at hand.
 */
export function evaluatorFromScorer<S extends z.ZodObject>(
  component: Component<"scorer", S>,
): Component<"evaluator", S> {
  const { description, options } = component;
  return {
    ...(description !== undefined && { description }),
    options,
    build: (args) => {
      const score = component.build(args);
      return {
        evaluate: async (run, { example, signal }) => {
          const question = questionOf(run, example, signal);
          return toEvaluation(await score(candidateOf(run, question), question));
        },
      };
    },
  };
}

function questionOf(run: RunRecord, example: Example | undefined, signal: AbortSignal): Question {
  const answer = example?.answer ?? run.answer;
  return {
    label: "evaluation",
    turn_index: 0,
    prompt: [{ role: "user", content: asText(run.input) }],
    input: run.input,
    example: {
      id: run.example_id,
      index: run.example_index,
      input: run.input,
      row: example?.row ?? {},
      ...(answer !== undefined && { answer }),
    },
    signal,
  };
}

function candidateOf(run: RunRecord, question: Question): Candidate {
  const text = asText(run.output);
  const messages: Message[] = [{ role: "assistant", content: text }];
  return {
    candidate_index: 0,
    seed: run.seed,
    text,
    messages,
    prompt: [...question.prompt],
    tools: undefined,
    value: run.output,
    score: null,
    reason: undefined,
    error: undefined,
    finish_reason: undefined,
    model: null,
    usage: noUsage(),
    is_selected: true,
    metadata: {},
  };
}

function asText(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
}

function toEvaluation(result: ScoreResult): Evaluation {
  if (typeof result !== "object" || result === null) return { score: result };
  return { score: result.score, ...(result.reason !== undefined && { reasoning: result.reason }) };
}
