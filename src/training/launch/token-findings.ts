import type { LaunchFinding, LaunchInput } from "./launch-plan.ts";
import type { Counted, RowCensus } from "./row-census.ts";

/** What a look at rows in tokens came to: the chat template, lengths, and pairs whose sides are the same. */
export function tokenFindings(input: LaunchInput, training: RowCensus, validation: RowCensus): LaunchFinding[] {
  const both = [training, validation];
  return [
    templateFinding(both),
    promptFinding(input, both),
    sideFinding(input, both),
    identicalFinding(both),
    messagesFinding(input, both),
  ].filter((finding) => finding !== undefined);
}

function templateFinding(both: RowCensus[]): LaunchFinding {
  const roles = new Set(both.flatMap(({ dropped }) => [...dropped.keys()]));
  if (roles.size === 0) return ok("chat_template", "it writes all messages of every row");
  const parts = [...roles].map((role) => {
    const found = both.filter(({ dropped }) => dropped.has(role));
    return `${WHAT[role] ?? `messages of the role ${role}`} (of ${told(found, ({ dropped }) => dropped.get(role))})`;
  });
  return failed(
    "chat_template",
    "template_drops_role",
    `the model's chat template leaves out ${parts.join(", ")}: the model would never see them; use another template, or leave them out`,
  );
}

const WHAT: Readonly<Record<string, string>> = { calls: "calls of tools", tools: "the tools" };

function promptFinding({ options }: LaunchInput, both: RowCensus[]): LaunchFinding {
  const found = both.filter(({ prompt_too_long }) => prompt_too_long.count > 0);
  const longest = Math.max(...both.map((census) => census.longest));
  if (found.length === 0) return ok("lengths", `up to ${longest} tokens of ${options.max_length}`);
  return failed(
    "lengths",
    "prompts_too_long",
    `prompts of ${told(found, (each) => each.prompt_too_long)} leave no room for a reply in ${options.max_length} tokens: their pairs would be left out without a word; raise max_length (the longest has ${longest}), or leave them out`,
  );
}

function sideFinding({ target, options }: LaunchInput, both: RowCensus[]): LaunchFinding | undefined {
  const found = both.filter(({ side_too_long }) => side_too_long.count > 0);
  if (found.length === 0) return undefined;
  const then =
    target === "nemo-rl" ? "NeMo RL counts such a pair for nothing" : "TRL cuts the end off, and the end token with it";
  const longest = Math.max(...both.map((census) => census.longest));
  const detail = `replies of ${told(found, (each) => each.side_too_long)} are over ${options.max_length} tokens with their prompt (the longest has ${longest}): ${then}`;
  return { name: "reply_lengths", status: "warning", code: null, detail };
}

function identicalFinding(both: RowCensus[]): LaunchFinding {
  const found = both.filter(({ identical }) => identical.count > 0);
  if (found.length === 0) return ok("sides", "chosen and rejected differ in every pair");
  return failed(
    "sides",
    "pairs_identical",
    `chosen and rejected are the same tokens in ${told(found, (each) => each.identical)}, as the template writes them or as they are cut: there is nothing to prefer; leave them out, or raise max_length`,
  );
}

function messagesFinding({ target }: LaunchInput, both: RowCensus[]): LaunchFinding | undefined {
  const found = both.filter(({ several_messages }) => several_messages.count > 0);
  if (found.length === 0) return undefined;
  const then =
    target === "nemo-rl" ? "NeMo RL trains the last one only" : "TRL trains all of them, results of tools among them";
  const detail = `sides of ${told(found, (each) => each.several_messages)} have several messages: ${then}; --completion divergence of \`pairwright rollouts\` makes sides of one`;
  return { name: "messages", status: "warning", code: null, detail };
}

/** `2 of 9 training rows (lines 3, 7 of F) and 1 of 4 validation rows (line 2 of G)` */
function told(found: readonly RowCensus[], of: (census: RowCensus) => Counted | undefined): string {
  const parts = found.map((census) => {
    const { count, numbers } = of(census) ?? { count: 0, numbers: [] };
    const more = count > numbers.length ? ", …" : "";
    const lines = `${numbers.length === 1 ? "line" : "lines"} ${numbers.join(", ")}${more}`;
    return `${count} of ${census.rows} ${census.side} rows (${lines} of ${census.file})`;
  });
  return parts.join(" and ");
}

function ok(name: string, detail: string): LaunchFinding {
  return { name, status: "ok", code: null, detail };
}

function failed(name: string, code: string, detail: string): LaunchFinding {
  return { name, status: "failed", code, detail };
}
