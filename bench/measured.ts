import { spawn } from "node:child_process";

export interface Measured {
  seconds: number;
  /** Peak resident memory, in MB. */
  peak_mb: number;
  /** User and system time, in seconds. */
  cpu_seconds: number;
  started_at: number;
  stdout: string;
}

// Reported by the process itself at its end: what the kernel counted, whatever became of its children.
const REPORT =
  "data:text/javascript,import{writeSync}from'node:fs';process.on('exit',()=>{const u=process.resourceUsage();" +
  "writeSync(3,JSON.stringify({peak_mb:u.maxRSS/1024,cpu_seconds:(u.userCPUTime+u.systemCPUTime)/1e6}))})";

/** Runs the built program once, in a process of its own. Throws when it ends with another code than `expected`. */
export async function measured(args: string[], env: Record<string, string> = {}, expected = 0): Promise<Measured> {
  const started_at = Date.now();
  const began = process.hrtime.bigint();
  const child = spawn(process.execPath, ["--import", REPORT, ...args], {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  const [stdout, stderr, report, code] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    textOf(child.stdio[3] as NodeJS.ReadableStream),
    new Promise<number | null>((resolve) => child.on("close", resolve)),
  ]);
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  if (code !== expected) throw new Error(`${args.join(" ")} ended with ${code}:\n${stderr}`);
  return { seconds, started_at, stdout, ...(JSON.parse(report) as { peak_mb: number; cpu_seconds: number }) };
}

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = "";
  for await (const chunk of stream ?? []) text += String(chunk);
  return text;
}
