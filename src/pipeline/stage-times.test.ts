import { expect, test } from "vitest";
import { describeTiming, StageTimes } from "./stage-times.ts";

test("the time of each stage adds up, also of what fails, and the rest is other", async () => {
  let now = 0;
  const times = new StageTimes(() => now);
  const takes = (ms: number, error?: Error) => async () => {
    now += ms;
    if (error) throw error;
  };
  await times.time("collect", takes(1500));
  await times.time("collect", takes(500));
  await expect(times.time("train", takes(250, new Error("no")))).rejects.toThrow("no");
  const round = new StageTimes(() => now);
  round.add("measure", 1);
  times.addAll(round);

  const timing = times.timing(4);
  expect(timing).toEqual({
    ...{ collect: 2, pairs: 0, upload: 0, train: 0.25, deploy: 0, measure: 1 },
    other: 0.75,
    total: 4,
  });
  expect(describeTiming(timing)).toBe("time: 4.0 s (collect 2.0, train 0.3, measure 1.0, other 0.8)");
});
