import { join } from "node:path";
import { z } from "zod";
import { type Clock, systemClock } from "../lib/clock.ts";
import { usageError } from "../lib/errors.ts";
import { type ChatTemplate, createChatTemplate, plainTemplate } from "./chat-template.ts";
import { readJson, readSpecialTokens, readTextIfThere } from "./read-tokenizer-files.ts";

const NamedTemplate = z.looseObject({ name: z.string(), template: z.string() });
const WithTemplate = z.looseObject({ chat_template: z.union([z.string(), z.array(NamedTemplate)]).nullish() });

/**
 * The chat template of a Hugging Face folder: `chat_template.jinja` (for tools `additional_chat_templates/tool_use.jinja`),
 * or else `chat_template` in `tokenizer_config.json`, a text or a list of named ones (`default`, `tool_use`). A folder
 * without one is the error `template_missing`, or with `or_plain` gets `plainTemplate`. Further errors: `template_broken`,
 * `tokenizer_broken` for a configuration that is no JSON.
 */
export async function openChatTemplate(
  dir: string,
  options: { or_plain?: boolean; clock?: Pick<Clock, "now"> } = {},
): Promise<ChatTemplate> {
  const found = (await templateOfFile(dir)) ?? (await templateOfConfig(dir));
  if (found !== null) {
    const { special_tokens } = await readSpecialTokens(dir);
    return createChatTemplate({ ...found, special_tokens, clock: options.clock ?? systemClock });
  }
  if (options.or_plain === true) return plainTemplate(dir);
  throw usageError({
    code: "template_missing",
    where: dir,
    what: "the folder has no chat template, neither chat_template.jinja nor chat_template in tokenizer_config.json",
    fix: "use a model that was trained on conversations, put a chat_template.jinja there, or ask for plain text",
  });
}

interface Found {
  template: string;
  tool_use?: string;
  where: string;
}

async function templateOfFile(dir: string): Promise<Found | null> {
  const where = join(dir, "chat_template.jinja");
  const template = await readTextIfThere(where);
  if (template === null) return null;
  const tool_use = await readTextIfThere(join(dir, "additional_chat_templates", "tool_use.jinja"));
  return { template, where, ...(tool_use === null ? {} : { tool_use }) };
}

async function templateOfConfig(dir: string): Promise<Found | null> {
  const where = join(dir, "tokenizer_config.json");
  const written = (await readJson(where, WithTemplate))?.chat_template;
  if (written === null || written === undefined) return null;
  if (typeof written === "string") return { template: written, where };
  const named = new Map(written.map(({ name, template }) => [name, template]));
  const template = named.get("default");
  const tool_use = named.get("tool_use");
  if (template !== undefined) return { template, where, ...(tool_use === undefined ? {} : { tool_use }) };
  throw usageError({
    code: "template_missing",
    where,
    what: `chat_template lists ${[...named.keys()].map((name) => JSON.stringify(name.slice(0, 40))).join(", ") || "nothing"}, and no "default"`,
    fix: 'name one of them "default"',
  });
}
