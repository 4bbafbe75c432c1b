import { expect, test } from "vitest";
import { NOTHING, type RolloutProgress } from "../pipeline/rollouts/rollout-progress.ts";
import { describeRolloutProgress, rolloutsProgress } from "./rollouts-progress.ts";
import { createTerminal } from "./terminal.ts";

const read: RolloutProgress = { ...NOTHING, stage: "read", bytes: 312e6, total_bytes: 735e6, rows: 67_840 };

test("bytes of all, rows, pairs and the time that is left are told; what is not known is left out", () => {
  expect(describeRolloutProgress(read, 6.5)).toBe("reading: 312 of 735 MB · 67,840 rows · 9 s left");
  expect(describeRolloutProgress({ ...NOTHING, stage: "unpack", bytes: 12e6 }, 2)).toBe("unpacking: 12 MB");
  expect(describeRolloutProgress({ ...NOTHING, stage: "write", pairs: 1500, total_pairs: 6000 }, 1)).toBe(
    "writing: 1,500 of 6,000 pairs · 3 s left",
  );
});

/** All that is said on both streams while one progress a second is shown. */
function said(isTTY: boolean, quiet: boolean, json: boolean, columns = 80) {
  const texts = { stdout: "", stderr: "" };
  const stream = (name: keyof typeof texts) => {
    const write = (text: string) => {
      texts[name] += text;
      return true;
    };
    return { isTTY, columns, write } as NodeJS.WriteStream;
  };
  const streams = { stdout: stream("stdout"), stderr: stream("stderr") };
  let now = 0;
  const line = rolloutsProgress(createTerminal({ json, quiet, verbose: false, color: false }, streams), () => now);
  for (let second = 1; second <= 12; second += 1) {
    now = second * 1000;
    line.show({ ...read, bytes: second * 1e6 });
  }
  line.end();
  return texts;
}

test("a terminal has one line that is drawn over, a log a line every five seconds, and --quiet nothing", () => {
  const live = said(true, false, false);
  expect(live.stderr.split("\r\u001b[K")).toHaveLength(13);
  expect(live.stderr.endsWith("\r\u001b[K")).toBe(true);
  expect(live.stderr).not.toContain("\n");
  // A terminal that does not know its width, as `script` makes one, says 0.
  expect(said(true, false, false, 0)).toEqual(live);
  expect(said(false, false, true).stderr.match(/^reading: \d+ of 735 MB · 67,840 rows · \d+ s left$/gm)).toHaveLength(
    2,
  );
  for (const isTTY of [true, false]) {
    expect(said(isTTY, true, true)).toEqual({ stdout: "", stderr: "" });
    expect(said(isTTY, false, true).stdout).toBe("");
  }
});
