import type { ContentPart, Message, ToolCall } from "../../records/message.ts";
import { isObject } from "../../records/messages-of.ts";

/** A conversation that was recorded as items of the Responses protocol. */
export interface ItemConversation {
  messages: Message[];
  /** The type of an item that no message of the chat protocol stands for. */
  unsupported: string | undefined;
}

/**
 * Items of the Responses protocol as chat messages, as NeMo Gym's `responses_converter.py` maps them: reasoning, texts
 * and function calls that follow one another are one assistant message, which ends where a result, a user or the end
 * comes. Departures: reasoning is kept apart from the text, and a refusal is a text, since it is what was said.
 */
export function messagesOfItems(items: readonly unknown[]): ItemConversation {
  const building = new Building();
  for (const item of items) building.add(item);
  return building.end();
}

class Building {
  readonly #messages: Message[] = [];
  #unsupported: string | undefined;
  #text: string | undefined;
  #parts: ContentPart[] | undefined;
  #reasoning: string[] = [];
  #calls: ToolCall[] = [];

  add(item: unknown): void {
    if (!isObject(item)) {
      this.#unsupported ??= typeof item;
      return;
    }
    const type = item.type ?? (item.role === undefined ? undefined : "message");
    if (type === "message") this.#message(item);
    else if (type === "reasoning") this.#reasoning.push(...reasoningOf(item));
    else if (type === "function_call") this.#call(item);
    else if (type === "function_call_output") this.#result(item);
    else this.#unsupported ??= typeof type === "string" ? type : "an item without a type";
  }

  end(): ItemConversation {
    this.#flush();
    return { messages: this.#messages, unsupported: this.#unsupported };
  }

  #message({ role, content, tool_calls, tool_call_id }: Record<string, unknown>): void {
    const read = contentOf(content);
    if (read === undefined || typeof role !== "string" || !ROLES.has(role) || tool_calls || tool_call_id) {
      this.#unsupported ??= "a message of another protocol";
      return;
    }
    if (role !== "assistant") {
      this.#flush();
      this.#messages.push({ role: role as Message["role"], content: read });
    } else if (typeof read === "string" && this.#parts === undefined) {
      this.#text = (this.#text ?? "") + read;
    } else {
      this.#parts = [...(this.#parts ?? textParts(this.#text)), ...(typeof read === "string" ? textParts(read) : read)];
    }
  }

  #call({ call_id, name, arguments: given }: Record<string, unknown>): void {
    if (typeof name !== "string") {
      this.#unsupported ??= "a call without a name";
      return;
    }
    const text = typeof given === "string" ? given : given === undefined ? "{}" : JSON.stringify(given);
    const id = typeof call_id === "string" ? { id: call_id } : {};
    this.#calls.push({ ...id, type: "function", function: { name, arguments: text } });
  }

  #result({ call_id, output }: Record<string, unknown>): void {
    this.#flush();
    const content = contentOf(output) ?? JSON.stringify(output);
    this.#messages.push({ role: "tool", content, ...(typeof call_id === "string" && { tool_call_id: call_id }) });
  }

  #flush(): void {
    const said = this.#parts ?? this.#text;
    if (said !== undefined || this.#calls.length > 0 || this.#reasoning.length > 0) {
      const message: Message = { role: "assistant", content: said ?? "" };
      if (this.#calls.length > 0) message.tool_calls = this.#calls;
      if (this.#reasoning.length > 0) message.reasoning = this.#reasoning.join("\n");
      this.#messages.push(message);
    }
    this.#text = undefined;
    this.#parts = undefined;
    this.#reasoning = [];
    this.#calls = [];
  }
}

const ROLES: ReadonlySet<string> = new Set(["system", "developer", "user", "assistant"]);

function textParts(text: string | undefined): ContentPart[] {
  return text === undefined ? [] : [{ type: "text", text }];
}

/** The texts of a reasoning item: its own words where they were told, else their summary. */
function reasoningOf({ content, summary }: Record<string, unknown>): string[] {
  const own = textsOf(content);
  return own.length > 0 ? own : textsOf(summary);
}

function textsOf(parts: unknown): string[] {
  if (!Array.isArray(parts)) return [];
  const texts = parts.map((part: unknown) => (isObject(part) ? part.text : part));
  return texts.filter((text): text is string => typeof text === "string" && text !== "");
}

/** Content as the chat protocol has it: one string where all of it is text. */
function contentOf(content: unknown): Message["content"] | undefined {
  if (typeof content === "string") return content;
  if (content === null || content === undefined) return "";
  if (!Array.isArray(content)) return undefined;
  let text = "";
  for (const part of content as unknown[]) {
    const said = isObject(part) ? (part.refusal ?? part.text) : part;
    if (typeof said !== "string") return partsOf(content);
    text += said;
  }
  return text;
}

function partsOf(content: readonly unknown[]): ContentPart[] | undefined {
  const parts: ContentPart[] = [];
  for (const part of content) {
    if (typeof part === "string") parts.push({ type: "text", text: part });
    else if (!isObject(part) || typeof part.type !== "string") return undefined;
    else if (part.type === "input_image" && typeof part.image_url === "string") {
      parts.push({ type: "image_url", image_url: { url: part.image_url } });
    } else {
      const said = part.refusal ?? part.text;
      parts.push(typeof said === "string" ? { type: "text", text: said } : (part as ContentPart));
    }
  }
  return parts;
}
