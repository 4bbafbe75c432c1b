import { readFileSync } from "node:fs";
import { PairwrightError, z } from "pairwright";

const Facts = z.array(z.strictObject({ name: z.string().min(1), value: z.number(), unit: z.string().min(1) })).min(1);
export type Facts = z.infer<typeof Facts>;

/** The table of a JSON file: `[{name, value, unit}, …]`. */
export function readFacts(file: string): Facts {
  try {
    return Facts.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    const what =
      cause instanceof z.ZodError
        ? `the table is not [{name, value, unit}, …]: ${cause.issues[0]?.path.join(".")}: ${cause.issues[0]?.message}`
        : `the table cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new PairwrightError({
      code: "bad_facts",
      where: file,
      what,
      fix: "set facts_file to a table such as examples/tool-agent/data/facts.json",
      exit_code: 2,
      cause,
    });
  }
}

/**
 * What the table says of a thing, a line a fact. The thing may be named in more words than the table has ("price of a
 * rye loaf") or in fewer ("ferry", which three facts are about). Throws with what there is when nothing fits.
 */
export function lookUp(facts: Facts, name: string): string {
  const asked = wordsOf(name);
  const same = facts.filter((fact) => isSubset(wordsOf(fact.name), asked));
  const about = asked.size === 0 ? [] : facts.filter((fact) => isSubset(asked, wordsOf(fact.name)));
  const found = same.length > 0 ? same : about;
  if (found.length > 0) return found.map(({ name, value, unit }) => `${name}: ${value} ${unit}`).join("\n");

  const near = facts.filter((fact) => [...wordsOf(fact.name)].some((word) => asked.has(word)));
  const names = (near.length > 0 ? near : facts).map((fact) => fact.name).join(", ");
  throw new PairwrightError({
    code: "no_such_fact",
    where: "look_up",
    what: `nothing is known by that name; ${near.length > 0 ? "perhaps one of these" : "there is"}: ${names}`,
  });
}

/** Lower case, without a plural's s. */
function wordsOf(text: string): Set<string> {
  return new Set((text.toLowerCase().match(/\p{L}+/gu) ?? []).map((word) => word.replace(/s$/, "")));
}

function isSubset(part: ReadonlySet<string>, whole: ReadonlySet<string>): boolean {
  return [...part].every((word) => whole.has(word));
}
