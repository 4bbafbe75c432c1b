import { expect, test } from "vitest";
import { EXIT, PairwrightError } from "../../lib/errors.ts";
import { makeChecks, ok } from "./check.ts";

const never = () => new Promise<never>(() => undefined);
const fault = (exit_code: number) =>
  new PairwrightError({ code: "x", where: "there", what: "it is broken", fix: "mend it", exit_code });
const [wrong, away] = [fault(EXIT.usage), fault(EXIT.unreachable)];
const raise = (error: PairwrightError) => async () => {
  throw error;
};
const signal = () => new AbortController().signal;

test("all checks are made at once, in their order, whatever one of them finds, and none takes longer than it may", async () => {
  const began = performance.now();
  const made = await makeChecks(
    [
      { name: "hangs", look: never },
      { name: "hangs, too", look: never },
      { name: "fine", look: async () => ok("as it should be") },
      { name: "wrong", look: raise(wrong) },
      { name: "away", look: raise(away) },
    ],
    { signal: signal(), limit_ms: 100 },
  );
  expect(performance.now() - began).toBeLessThan(2000);
  expect(made).toEqual([
    { check: { name: "hangs", status: "failed", detail: "no answer within 0.1 s" }, unreachable: true },
    { check: { name: "hangs, too", status: "failed", detail: "no answer within 0.1 s" }, unreachable: true },
    { check: { name: "fine", status: "ok", detail: "as it should be" }, unreachable: false },
    {
      check: { name: "wrong", status: "failed", detail: "there: it is broken (mend it)" },
      ...{ unreachable: false, fault: wrong },
    },
    {
      check: { name: "away", status: "failed", detail: "there: it is broken (mend it)" },
      ...{ unreachable: true, fault: away },
    },
  ]);
});

test("a fault of the program itself is no finding, and an interrupt ends the checks", async () => {
  const broken = async () => {
    throw new TypeError("a fault");
  };
  await expect(makeChecks([{ name: "broken", look: broken }], { signal: signal() })).rejects.toThrow("a fault");
  const stop = new AbortController();
  const checks = makeChecks([{ name: "hangs", look: never }], { signal: stop.signal });
  stop.abort(new Error("stopped"));
  await expect(checks).rejects.toThrow("stopped");
});
