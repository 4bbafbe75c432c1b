import { EXIT } from "../../lib/errors.ts";
import { counted } from "../../pipeline/describe-result.ts";
import { lintPairFiles } from "../../pipeline/pairs/lint-files.ts";
import type { CommandRun } from "../command.ts";
import { wholeNumber } from "../flags.ts";

export const run: CommandRun = async ({ args, flags, terminal }) => {
  const max_characters = wholeNumber(flags, "maxCharacters", 1);
  const report = await lintPairFiles(args, { ...(max_characters !== undefined && { max_characters }) });
  for (const { kind, level, file, line, message } of report.findings) {
    const place = [file, line].filter((part) => part !== null && part !== undefined).join(":");
    terminal.print(`${level}[${kind}]${place ? ` ${place}` : ""}: ${message}`);
  }
  const faults = Object.entries(report.faults).map(([kind, n]) => `${kind} ${n}`);
  terminal.print(
    `${counted(report.rows, "row")} in ${counted(report.files.length, "file")}; ${faults.join(", ") || "no faults"}`,
  );
  terminal.result(report);
  return report.has_errors ? EXIT.some_failed : EXIT.ok;
};
