import { spawn } from "node:child_process";

/** Its input ends without a word when the process that holds the other end is gone, however it went. */
const SCRIPT = `
read -r word && exit
kill -s TERM -- "-$1"
for second in 1 2 3 4 5 6 7 8 9 10; do
  sleep 1
  kill -s 0 -- "-$1" || exit
done
kill -s KILL -- "-$1"`;

/**
 * Ends a process group when this process is gone and could not do so itself, as after SIGKILL: SIGTERM, and SIGKILL ten
 * seconds later. Disposed of, it does nothing any more. What ends it is a shell in a session of its own, which nobody
 * else's signals reach.
 */
export function endGroupAfterUs(group: number): Disposable {
  const shell = spawn("/bin/sh", ["-c", SCRIPT, "sh", String(group)], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  shell.unref();
  // Without it nothing is lost but the end of what a killed launch leaves.
  shell.on("error", () => undefined);
  shell.stdin.on("error", () => undefined);
  return { [Symbol.dispose]: () => void shell.stdin.end("over\n") };
}
