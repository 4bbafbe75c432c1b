import { type ChildProcess, type ForkOptions, fork } from "node:child_process";

/**
 * Large stretches of memory on large pages, where the C library is glibc: a training step of a small model takes 2 to 3 % less
 * time and some 10 MB more. It reads this when a process starts.
 */
const LARGE_PAGES = "glibc.malloc.hugetlb=1";

/** This process's environment, with large pages unless the user has set something there. */
export function computingEnv(): NodeJS.ProcessEnv {
  return { GLIBC_TUNABLES: LARGE_PAGES, ...process.env };
}

/** Starts a file of the engine, named without its ending, as a process of its own that talks by messages. */
export function startChild(name: string, from: string, { execArgv = [], ...options }: ForkOptions = {}): ChildProcess {
  const built = from.endsWith(".js");
  return fork(new URL(built ? `./${name}.js` : `./${name}.ts`, from), {
    execArgv: [
      // Else every WebAssembly memory would reserve 8 GB of addresses, which a limit on these may not leave.
      "--disable-wasm-trap-handler",
      ...execArgv,
      // Source that was not built is read by jiti, as plugins are.
      ...(built ? [] : ["--import", import.meta.resolve("jiti/register")]),
    ],
    // What the native library might say belongs to stderr: stdout is the command's result.
    stdio: ["ignore", 2, "inherit", "ipc"],
    // Ctrl-C is for this process to understand; the child is told.
    detached: true,
    env: computingEnv(),
    ...options,
  });
}
