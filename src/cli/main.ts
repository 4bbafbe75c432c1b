#!/usr/bin/env node
import { normaliseArguments } from "./arguments.ts";
import { buildProgram } from "./program.ts";

const program = buildProgram((code) => {
  process.exitCode = code;
});
await program.parseAsync(normaliseArguments(process.argv.slice(2)), { from: "user" });
