import { EXIT, usageError } from "../../lib/errors.ts";
import { counted } from "../../pipeline/describe-result.ts";
import { convertPairs } from "../../pipeline/pairs/convert-pairs.ts";
import type { CommandRun } from "../command.ts";
import { formatsOf } from "../formats.ts";
import { registryWithPlugins } from "../load.ts";
import { stoppable } from "../stoppable.ts";

export const run: CommandRun = async ({ args, flags, terminal }) => {
  const [input, output] = args;
  if (input === undefined || output === undefined) {
    throw usageError({
      code: "usage",
      what: "two files are needed",
      fix: "pairwright pairs convert IN OUT --to FORMAT",
    });
  }
  const formats = formatsOf(await registryWithPlugins(flags, terminal), terminal);
  const to = formats.find(({ name }) => name === flags.to);
  if (to === undefined) {
    throw usageError({
      code: "unknown_format",
      where: "--to",
      what: flags.to === undefined ? "it is missing" : `there is no format "${String(flags.to)}" that can be written`,
      fix: `known are ${formats.map(({ name }) => name).join(", ")}`,
    });
  }
  const from = typeof flags.from === "string" ? flags.from : undefined;
  const allow_loss = flags.allowLoss === true;
  const converted = await stoppable((signal) => convertPairs({ input, output, from, to, formats, allow_loss, signal }));
  const lost = Object.entries(converted.lost_fields);
  const unwritable = Object.entries(converted.unwritable);
  terminal.print(
    `${counted(converted.rows, "row")} of ${converted.from ?? "no format"} -> ${converted.written} of ${to.name}: ${output}`,
  );
  if (lost.length > 0)
    terminal.print(`not held by this row format: ${lost.map(([name, n]) => `${name} ${n}`).join(", ")}`);
  if (unwritable.length > 0) terminal.print(`no row: ${unwritable.map(([name, n]) => `${name} ${n}`).join(", ")}`);
  terminal.result(converted);
  return converted.written < converted.rows ? EXIT.some_failed : EXIT.ok;
};
