import type { Message } from "../../records/message.ts";
import { createBoundedCache } from "../../tokens/bounded-cache.ts";
import type { ChatTemplate } from "../../tokens/chat-template.ts";
import type { Tokenizer } from "../../tokens/tokenizer.ts";
import type { LaunchTarget } from "./launch-plan.ts";
import type { LaunchRow } from "./launch-row.ts";

/** A row as a trainer lays it out: ids of the prompt alone, and of the prompt with each side. */
export interface RowTokens {
  prompt: number;
  chosen: readonly number[];
  rejected: readonly number[];
  /** The text that the template makes of the prompt with each side. */
  text: { chosen: string; rejected: string };
}

const CACHED_PROMPTS = 500;

interface Rendered {
  text: string;
  ids: readonly number[];
}

/**
 * Rows to ids, as each trainer makes them. TRL: prompt and side rendered together, tools given. NeMo RL: no tools, no
 * generation prompt, each message's new text tokenised by itself (here: the prompt's, and the side's), a beginning and an
 * end token added where the template writes none. Errors: those of the template.
 */
export function rowTokens(
  target: LaunchTarget,
  tokenizer: Tokenizer,
  template: ChatTemplate,
): (row: LaunchRow) => RowTokens {
  const prompts = createBoundedCache<string, Rendered>(CACHED_PROMPTS);
  const { bos_token, eos_token } = tokenizer.special_tokens;

  function promptOf({ prompt, tools }: LaunchRow): Rendered {
    const key = JSON.stringify([prompt, tools]);
    const known = prompts.get(key);
    if (known !== undefined) return known;
    const text = typeof prompt === "string" ? prompt : render(prompt, tools, target === "trl");
    const rendered = { text, ids: tokenizer.encode(text) };
    prompts.set(key, rendered);
    return rendered;
  }

  function render(messages: readonly Message[], tools: LaunchRow["tools"], add_generation_prompt: boolean): string {
    const text = template.render(messages, { tools: target === "trl" ? tools : undefined, add_generation_prompt });
    const begins = target === "trl" || bos_token === undefined || text.startsWith(bos_token);
    return begins ? text : bos_token + text;
  }

  function whole(row: LaunchRow, side: Message[]): string {
    if (typeof row.prompt === "string") return ended(row.prompt + textsOf(side));
    const text = render([...row.prompt, ...side], row.tools, false);
    return target === "trl" ? text : ended(text);
  }

  /** Templates of Qwen's family end with a newline after the end token. */
  function ended(text: string): string {
    return eos_token === undefined || text.replace(/\n+$/, "").endsWith(eos_token) ? text : text + eos_token;
  }

  function idsOf(text: string, prompt: Rendered): readonly number[] {
    const [ids, rest] =
      target === "nemo-rl" && text.startsWith(prompt.text) ? [prompt.ids, prompt.text.length] : [[], 0];
    return [...ids, ...tokenizer.encode(text.slice(rest))];
  }

  return (row) => {
    const prompt = promptOf(row);
    const [chosen, rejected] = [whole(row, row.chosen), whole(row, row.rejected)];
    return {
      prompt: prompt.ids.length,
      chosen: idsOf(chosen, prompt),
      rejected: idsOf(rejected, prompt),
      text: { chosen, rejected },
    };
  };
}

function textsOf(messages: readonly Message[]): string {
  return messages.map(({ content }) => (typeof content === "string" ? content : "")).join("");
}
