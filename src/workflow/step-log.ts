import { jsonText } from "../lib/json-copy.ts";
import type { EventType, IntermediateStep, InvocationNode, StepPayload, StepUsage } from "../records/step.ts";

/** What a step says; place and time are added by the log. */
export interface StepFacts {
  event_type: EventType;
  name?: string | undefined;
  data?: Record<string, unknown> | undefined;
  metadata?: Record<string, unknown> | undefined;
  tags?: string[] | undefined;
  usage_info?: StepUsage | undefined;
  UUID?: string | undefined;
  /** Seconds; when the span that this END closes began. */
  span_event_timestamp?: number | undefined;
}

/** Where in a run a step happens. */
export interface StepPlace {
  node: InvocationNode;
  parent_id: string;
  tags?: string[] | undefined;
}

/** The steps of one run of one example, in the order they happened. */
export interface StepLog {
  /** As JSON: what a step says is what was so when it happened. */
  readonly steps: string[];
  newId(): string;
  /** Throws `not_json` when a step holds what JSON cannot. */
  push(place: StepPlace, facts: StepFacts): string;
  /** Takes a step as it is, from another program's log for instance. */
  keep(step: IntermediateStep): void;
}

/** `id_prefix` makes step ids unique among runs; `now` is in milliseconds. */
export function createStepLog({ id_prefix, now }: { id_prefix: string; now: () => number }): StepLog {
  const steps: string[] = [];
  let made = 0;

  function newId(): string {
    made += 1;
    return `${id_prefix}-${made.toString(16).padStart(4, "0")}`;
  }

  return {
    steps,
    newId,
    push({ node, parent_id, tags }, facts) {
      const payload: StepPayload = {
        event_type: facts.event_type,
        event_timestamp: now() / 1000,
        UUID: facts.UUID ?? newId(),
      };
      if (facts.span_event_timestamp !== undefined) payload.span_event_timestamp = facts.span_event_timestamp;
      if (facts.name !== undefined) payload.name = facts.name;
      if (facts.tags ?? tags) payload.tags = [...(facts.tags ?? []), ...(tags ?? [])];
      if (facts.data !== undefined) payload.data = facts.data;
      if (facts.metadata !== undefined) payload.metadata = facts.metadata;
      if (facts.usage_info !== undefined) payload.usage_info = facts.usage_info;
      steps.push(jsonText({ parent_id, function_ancestry: node, payload }, stepName(facts)));
      return payload.UUID;
    },
    keep: (step) => void steps.push(jsonText(step, stepName(step.payload))),
  };
}

function stepName({ event_type, name }: Pick<StepPayload, "event_type" | "name">): string {
  return name ? `${event_type} "${name}"` : event_type;
}
