import type { RolloutReader } from "../../../registry/training.ts";
import { completions } from "./completions.ts";
import { nemoGym } from "./nemo-gym.ts";
import { openAiChat } from "./openai-chat.ts";
import { openAiResponses } from "./openai-responses.ts";
import { promptfoo } from "./promptfoo.ts";
import { runs } from "./runs.ts";
import { scoredResponses } from "./scored-responses.ts";

/** Our own readers by name, in the order in which they are asked whose a file is; with what `info components` says. */
export const BUILTIN_READERS: Readonly<Record<string, { description: string; reader: RolloutReader }>> = {
  "nemo-gym": { description: "rollouts of NeMo Gym", reader: nemoGym },
  runs: { description: "our own runs.jsonl: the candidates of each turn", reader: runs },
  promptfoo: { description: "results of promptfoo, .jsonl or .json", reader: promptfoo },
  "openai-responses": { description: "logs of OpenAI's Responses API with rewards", reader: openAiResponses },
  "openai-chat": { description: "logs of the OpenAI chat protocol with rewards", reader: openAiChat },
  "scored-responses": { description: "{prompt, responses: [{text, score}]}", reader: scoredResponses },
  completions: { description: "{prompt, completion, reward}, as verifiers and TRL write it", reader: completions },
};
