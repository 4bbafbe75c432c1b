import type { Message } from "../../records/message.ts";
import type { ReadPair } from "../../registry/training.ts";
import { losesParts } from "./reply-text.ts";

type MessageField = "reasoning" | "name" | "content_parts";

/** What a format does not hold of a pair that it can write. */
export interface Unheld {
  tools?: boolean;
  /** Of the messages of the prompt. */
  prompt?: readonly MessageField[];
  /** Of the messages that are chosen and rejected. */
  sides?: readonly MessageField[];
}

const IS_THERE: Record<MessageField, (message: Message) => boolean> = {
  reasoning: ({ reasoning }) => reasoning !== undefined,
  name: ({ name }) => name !== undefined,
  content_parts: losesParts,
};

/** The names of what is there in a pair and not in its row. */
export function lostFields({ prompt, chosen, rejected, tools }: ReadPair, unheld: Unheld): string[] {
  const lost: string[] = [];
  if (unheld.tools === true && tools !== undefined) lost.push("tools");
  for (const field of ["reasoning", "name", "content_parts"] as const) {
    const isThere = IS_THERE[field];
    const inSides = unheld.sides?.includes(field) === true && (chosen.some(isThere) || rejected.some(isThere));
    if (inSides || (unheld.prompt?.includes(field) === true && prompt.some(isThere))) lost.push(field);
  }
  return lost;
}
