import { Environment, Interpreter, Template } from "@huggingface/jinja";
import type { Clock } from "../lib/clock.ts";
import { messageOf, usageError } from "../lib/errors.ts";
import type { Message, Tool } from "../records/message.ts";
import { strftime } from "./strftime.ts";
import { templateMessage } from "./template-message.ts";

export interface RenderOptions {
  tools?: readonly Tool[] | undefined;
  /** Ends with the beginning of the assistant's next message. */
  add_generation_prompt?: boolean;
}

/** Writes a conversation as the one text that a model was trained to go on from. */
export interface ChatTemplate {
  /** `plain`: the texts of the messages, one a line, with no marks of who speaks. */
  readonly kind: "jinja" | "plain";
  /** The file it comes from. */
  readonly where: string;
  /** Errors: `template_failed` when the template stops, `content_unsupported` for a part of a message that is no text. */
  render(messages: readonly Message[], options?: RenderOptions): string;
}

/** Where a template comes from and what it may use. */
export interface TemplateSource {
  /** The template for conversations without tools, and for those with tools where `tool_use` is missing. */
  template: string;
  tool_use?: string | undefined;
  where: string;
  special_tokens: Readonly<Record<string, string>>;
  clock: Pick<Clock, "now">;
}

/**
 * A Hugging Face chat template. It gets what `transformers` gives it: `messages`, `tools`, `documents` (none),
 * `add_generation_prompt`, the special tokens by name, `raise_exception` and `strftime_now` (of `clock`, in local time).
 * Known departure of `@huggingface/jinja` 0.5: a truth value that is written as text is `true`, where Python writes `True`,
 * and 2.0 is `2`; a loop over what is not there stops. Errors: `template_broken` when it cannot be parsed.
 */
export function createChatTemplate(source: TemplateSource): ChatTemplate {
  const { where } = source;
  const plain = parse(source.template, where);
  const withTools = source.tool_use === undefined ? plain : parse(source.tool_use, where);
  return {
    kind: "jinja",
    where,
    render(messages, { tools, add_generation_prompt = false } = {}) {
      const values = {
        ...source.special_tokens,
        messages: messages.map((message) => templateMessage(message, where)),
        tools: tools ?? null,
        documents: null,
        add_generation_prompt,
      };
      return run(tools === undefined ? plain : withTools, values, source);
    },
  };
}

/** For a model without a chat template. */
export function plainTemplate(where: string): ChatTemplate {
  return {
    kind: "plain",
    where,
    render: (messages) => messages.map((message) => templateMessage(message, where).content).join("\n"),
  };
}

function parse(template: string, where: string): Template {
  try {
    // Jinja takes every end of line for a newline; the library does not.
    return new Template(template.replace(/\r\n?/g, "\n"));
  } catch (cause) {
    throw usageError({
      code: "template_broken",
      where,
      what: `the chat template is no Jinja that is understood here: ${messageOf(cause, 200)}`,
      fix: "mend the template, or copy the file again",
      cause,
    });
  }
}

/** What a template said by `raise_exception`. */
class Raised extends Error {}

function run(template: Template, values: Record<string, unknown>, { where, clock }: TemplateSource): string {
  const environment = new Environment();
  const globals = {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    range,
    raise_exception: (message: unknown) => {
      throw new Raised(String(message));
    },
    strftime_now: (format: unknown) => strftime(new Date(clock.now()), String(format)),
  };
  for (const [name, value] of Object.entries({ ...globals, ...values })) environment.set(name, value);
  try {
    return String(new Interpreter(environment).run(template.parsed).value);
  } catch (cause) {
    const said = messageOf(cause, 200);
    throw usageError({
      code: "template_failed",
      where,
      what:
        cause instanceof Raised
          ? `the chat template refuses the conversation: ${said}`
          : `the chat template stopped: ${said}`,
      fix: "change the conversation's messages to what the template takes, or the template",
    });
  }
}

/** Python's `range`. */
function range(first: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, first] : [first, stop];
  if (step === 0) throw new Raised("range() step must not be zero");
  const count = Math.max(0, Math.ceil((to - from) / step));
  return Array.from({ length: count }, (_, index) => from + index * step);
}
