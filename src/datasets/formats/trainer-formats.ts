import type { DatasetFormat } from "../../registry/training.ts";
import { azure } from "./azure.ts";
import { fireworks } from "./fireworks.ts";
import { nemoCustomizer } from "./nemo-customizer.ts";
import { nemoRlBinary } from "./nemo-rl-binary.ts";
import { nemoRlRanked } from "./nemo-rl-ranked.ts";
import { openAi } from "./openai.ts";
import { together } from "./together.ts";
import { trl } from "./trl.ts";
import { trlConversational } from "./trl-conversational.ts";

/** A format with what `info components` says of it. */
export interface DescribedFormat {
  description: string;
  format: DatasetFormat;
}

/** What others train on, by name. None of these loads a schema: a thread that writes rows is the smaller for it. */
export const TRAINER_FORMATS: Readonly<Record<string, DescribedFormat>> = {
  "nemo-customizer": {
    description: "rows for NeMo Customizer: prompt, chosen_response, rejected_response",
    format: nemoCustomizer,
  },
  "nemo-rl-binary": {
    description:
      "rows of NeMo Gym's DPO tutorial, for NeMo RL's BinaryPreferenceDataset: prompt, chosen, rejected, rewards",
    format: nemoRlBinary,
  },
  "nemo-rl-ranked": { description: "rows for NeMo RL's PreferenceDataset: context, completions", format: nemoRlRanked },
  trl: { description: "rows for TRL, as texts: prompt, chosen, rejected", format: trl },
  "trl-conversational": {
    description: "rows for TRL, as messages: prompt, chosen, rejected, tools",
    format: trlConversational,
  },
  openai: { description: "OpenAI's preference format: one message an output", format: openAi },
  azure: { description: "the same as Azure OpenAI takes it: outputs may hold messages of tools", format: azure },
  together: { description: "the same as Together AI takes it: no tools", format: together },
  fireworks: { description: "the same as Fireworks takes it: texts of system, user and assistant", format: fireworks },
};
