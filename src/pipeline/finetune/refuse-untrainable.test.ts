import { expect, test } from "vitest";
import { EXIT, PairwrightError, usageError } from "../../lib/errors.ts";
import type { BackendCheck, Finding } from "../../registry/training-backend.ts";
import { fakeTrainerAdapter } from "../../testing/fake-trainer-adapter.ts";
import { refuseUntrainable } from "./refuse-untrainable.ts";

const SECRET = "key-0123456789";
const down = new PairwrightError({ code: "platform_unreachable", what: "nobody answers", exit_code: EXIT.unreachable });
const missing = usageError({ code: "namespace_not_found", what: "there is none", fix: "create it" });

/** A check that comes to one outcome after another, and to the last of them from then on. */
function check(name: string, ...outcomes: (Finding | Error)[]) {
  const made = { looks: 0 };
  const look = async () => {
    const outcome = outcomes[Math.min(made.looks, outcomes.length - 1)];
    made.looks += 1;
    if (outcome === undefined || outcome instanceof Error) throw outcome;
    return outcome;
  };
  return Object.assign(made, { name, look });
}
const found = (status: Finding["status"], detail = "as it should be"): Finding => ({ status, detail });

/** What looking comes to: the error, the warnings, and how long was waited. */
async function looked(checks: BackendCheck[] | undefined, drain = new AbortController()) {
  let waited = 0;
  const said: string[] = [];
  const { backend } = fakeTrainerAdapter(checks && { checks });
  const error = await refuseUntrainable({
    training: { backend, secrets: [SECRET] },
    clock: {
      now: () => waited,
      async sleep(ms) {
        waited += ms;
      },
    },
    ...{ drain: drain.signal, stop: new AbortController().signal },
    log: { debug: () => undefined, info: () => undefined, warn: (line) => void said.push(line) },
  }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { error, said, waited };
}

test("the first check that fails ends it with its own error, and what only warns or is not known does not", async () => {
  const warns = check("deployments", found("warning", `none at ${SECRET}`));
  const others = ["ok", "unknown", "skipped"] as const;
  const fine = [warns, ...others.map((status) => check(status, found(status)))];
  expect(await looked(fine)).toEqual({ error: undefined, said: ["deployments: none at [redacted]"], waited: 0 });
  expect(fine.map(({ looks }) => looks)).toEqual([1, 1, 1, 1]);

  const second = usageError({ code: "job_refused", what: "it is not offered" });
  expect((await looked([...fine, check("store", missing), check("options", second)])).error).toBe(missing);
  expect(await looked(undefined)).toEqual({ error: undefined, said: [], waited: 0 });
});

test("a check that fails without an error of its own is told by its name, with what it found", async () => {
  const { error } = await looked([check("quota", found("failed", "no GPU is left"))]);
  expect(error).toMatchObject({ code: "not_trainable_there", where: "memory", what: "quota: no GPU is left" });
  expect(error).toMatchObject({ exit_code: EXIT.usage });
});

test("what does not answer is asked three times, as a submission would ask", async () => {
  const twice = check("store", down, down, found("ok"));
  expect(await looked([twice])).toEqual({ error: undefined, said: [], waited: 1500 });
  const never = check("store", down);
  expect((await looked([never])).error).toBe(down);
  expect(never.looks).toBe(3);
});

test("an interrupt ends the looking, and is left to the stage that comes next", async () => {
  const drain = new AbortController();
  const never = new Promise<Finding>(() => undefined);
  const hangs = { name: "hangs", look: () => never };
  const looking = looked([hangs], drain);
  drain.abort(new Error("stopped"));
  expect(await looking).toEqual({ error: undefined, said: [], waited: 0 });
});
