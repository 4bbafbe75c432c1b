import { pathToFileURL } from "node:url";
import { type Ended, MAIN, type StartOptions } from "./program.ts";

let last: Promise<unknown> = Promise.resolve();

/**
 * The built program's command line in this process: what a process of its own would say, and its exit code. Working folder,
 * environment and streams belong to the whole process, so one waits for the other, and what runs beside it waits while modules
 * load. For what a plugin prints, for signals, for processes that die and for concurrent tests it takes `startPairwright`.
 */
export function perform(args: readonly string[], options: StartOptions): Promise<Ended> {
  const ended = last.then(() => performNow(args, options));
  last = ended.catch(() => undefined);
  return ended;
}

async function performNow(args: readonly string[], { cwd, env = {} }: StartOptions): Promise<Ended> {
  const folder = new URL(".", pathToFileURL(MAIN));
  const { buildProgram }: typeof import("../../src/cli/program.ts") = await import(new URL("program.js", folder).href);
  const { normaliseArguments }: typeof import("../../src/cli/arguments.ts") = await import(
    new URL("arguments.js", folder).href
  );
  const { PATH = "", HOME = "" } = process.env;
  const before = { cwd: process.cwd(), env: process.env };
  const stdout = intercept(process.stdout);
  const stderr = intercept(process.stderr);
  let code = 0;
  try {
    process.chdir(cwd);
    process.env = { PATH, HOME, ...env };
    const program = buildProgram((given) => {
      code = given;
    });
    await program.parseAsync(normaliseArguments(args), { from: "user" });
  } finally {
    process.chdir(before.cwd);
    process.env = before.env;
    stdout.restore();
    stderr.restore();
  }
  return { code, signal: null, stdout: stdout.text(), stderr: stderr.text() };
}

/** Takes what is written to a stream until it is restored. */
function intercept(stream: NodeJS.WriteStream) {
  const { write } = stream;
  let text = "";
  stream.write = (chunk: string | Uint8Array) => {
    text += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8");
    return true;
  };
  return {
    text: () => text,
    restore() {
      stream.write = write;
    },
  };
}
