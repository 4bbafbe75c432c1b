import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** The platform as a process of its own, as a user starts it. */
export interface PlatformProcess {
  origin: string;
  pid: number;
  /** SIGKILL, and its end. */
  kill(): Promise<void>;
  /** SIGTERM, and its end: the exit code. */
  stop(): Promise<number | null>;
}

/** Starts `pairwright platform start` of the built program on this data folder. */
export async function startPlatformProcess(dir: string, flags: readonly string[] = []): Promise<PlatformProcess> {
  const child: ChildProcess = spawn(
    process.execPath,
    ["dist/cli/main.js", "platform", "start", "--port", "0", "--data", dir, "--json", ...flags],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  // A test that fails leaves none behind.
  const end = () => void child.kill("SIGKILL");
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
  const ended = once(child, "exit").then(([code]) => code as number | null);
  let said = "";
  child.stderr?.on("data", (bytes) => {
    said = (said + String(bytes)).slice(-4000);
  });
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout?.once("data", (bytes) => resolve(String(bytes)));
    child.once("exit", (code) => reject(new Error(`the platform ended with ${code}:\n${said}`)));
  });
  return {
    origin: (JSON.parse(line) as { entity_host: string }).entity_host,
    pid: child.pid ?? 0,
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
    stop() {
      child.kill("SIGTERM");
      return ended;
    },
  };
}
