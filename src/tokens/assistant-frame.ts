import { usageError } from "../lib/errors.ts";
import type { Message } from "../records/message.ts";
import type { ChatTemplate } from "./chat-template.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** What stands around a reply between the prompt and the end of the assistant's turn. */
export interface AssistantFrame {
  /** Text that the template writes between prompt and reply: mostly nothing, with some templates a space. */
  lead: string;
  /** The tokens that end the turn; the last of them is the one that generation should stop at. */
  end_ids: readonly number[];
  /** `eos`: the template does not tell, so the tokenizer's end token stands in. */
  source: "template" | "eos";
}

const QUESTION: Message = { role: "user", content: "Question?" };
const REPLY = "qz Reply qz";

/**
 * Learns from the template how a reply stands in a conversation: it renders one with the generation prompt, the same one
 * with a reply and without, and takes what follows the prompt. The end is what the template writes after the reply up to
 * and with the first token that ends a text (or else the first control token); what comes after it, such as a newline, is
 * no part of the turn. Where the conversation does not begin with the prompt, holds the reply changed, or ends without
 * such a token, and for the plain template, the reply is followed by the tokenizer's end token. Errors: `end_token_missing`.
 */
export function assistantFrame(tokenizer: Tokenizer, template: ChatTemplate): AssistantFrame {
  return (template.kind === "jinja" ? frameOf(tokenizer, template) : null) ?? withEos(tokenizer, template);
}

function frameOf(tokenizer: Tokenizer, template: ChatTemplate): AssistantFrame | null {
  const prompt = template.render([QUESTION], { add_generation_prompt: true });
  const whole = template.render([QUESTION, { role: "assistant", content: REPLY }]);
  if (!whole.startsWith(prompt)) return null;
  const [lead, after] = whole.slice(prompt.length).split(REPLY, 2);
  if (lead === undefined || after === undefined) return null;
  const ids = tokenizer.encode(after);
  const ends = ids.findIndex((id) => tokenizer.eos_ids.includes(id));
  const end = ends === -1 ? ids.findIndex((id) => tokenizer.isSpecial(id)) : ends;
  return end === -1 ? null : { lead, end_ids: ids.slice(0, end + 1), source: "template" };
}

function withEos(tokenizer: Tokenizer, template: ChatTemplate): AssistantFrame {
  const [eos] = tokenizer.eos_ids;
  if (eos !== undefined) return { lead: "", end_ids: [eos], source: "eos" };
  throw usageError({
    code: "end_token_missing",
    where: template.where,
    what: "nothing says which token ends a reply: the template writes none, and no file names an eos_token",
    fix: "name the eos_token in tokenizer_config.json",
  });
}
