#!/usr/bin/env node
import { codeOf } from "../lib/errors.ts";
import { normaliseArguments } from "./arguments.ts";
import { buildProgram } from "./program.ts";

// Who reads may have enough, as `head` has: what is under way goes on, and files and exit code tell what came of it.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error) => {
    if (codeOf(error) !== "EPIPE") throw error;
  });
}
const program = buildProgram((code) => {
  process.exitCode = code;
});
await program.parseAsync(normaliseArguments(process.argv.slice(2)), { from: "user" });
