import assert from "node:assert/strict";
import { PairwrightError } from "../lib/errors.ts";
import { silentLogger } from "../lib/log.ts";
import type { JobSteps, Json, TrainingBackend, TrainingFiles } from "../registry/training-backend.ts";

/** A backend to hold against the contract, and what it may train on. */
export interface BackendUnderTest {
  backend: TrainingBackend;
  files: TrainingFiles;
  /** A model that it can deploy without training one. */
  deployable: string;
  close?(): Promise<void>;
}

type Test = (name: string, body: () => Promise<void>) => void;

const STATES = ["pending", "running", "completed", "failed", "cancelled", "unknown"];

/** The steps of a job in memory. `forget` loses what came of them, as a process does that is killed. */
export function stepsInMemory(tag: string): JobSteps & { forget(): void } {
  const steps = new Map<string, { outcome?: Json }>();
  return {
    tag,
    signal: new AbortController().signal,
    log: silentLogger,
    forget() {
      for (const step of steps.values()) delete step.outcome;
    },
    async step<T extends Json>(name: string, _intent: Json, work: (again: boolean) => Promise<T>): Promise<T> {
      const before = steps.get(name);
      if (before?.outcome !== undefined) return before.outcome as T;
      const step: { outcome?: Json } = {};
      steps.set(name, step);
      const outcome = await work(before !== undefined);
      step.outcome = outcome;
      return outcome;
    },
  };
}

/**
 * What every backend must do so that a killed process can be followed by another one. `test` is the runner's; `make` gives
 * a backend of its own for each test. Nothing waits for a training to end.
 */
export function trainingBackendContract(test: Test, make: () => Promise<BackendUnderTest>): void {
  const { signal } = new AbortController();
  const given = (name: string, body: (given: BackendUnderTest) => Promise<void>) =>
    test(name, async () => {
      const under_test = await make();
      try {
        await body(under_test);
      } finally {
        under_test.backend.close();
        await under_test.close?.();
      }
    });
  const ids = async ({ backend }: BackendUnderTest) => (await backend.list(signal)).map(({ id }) => id);

  given("a job that is submitted again after its outcome was lost is the same job", async (it) => {
    const steps = stepsInMemory("contract-a");
    const first = await it.backend.submit(it.files, steps);
    steps.forget();
    const second = await it.backend.submit(it.files, steps);
    assert.equal(second.id, first.id);
    assert.deepEqual(await ids(it), [first.id]);
  });

  given("a job of another tag is another job", async (it) => {
    const first = await it.backend.submit(it.files, stepsInMemory("contract-b"));
    const second = await it.backend.submit(it.files, stepsInMemory("contract-c"));
    assert.notEqual(second.id, first.id);
    assert.deepEqual((await ids(it)).sort(), [first.id, second.id].sort());
  });

  given("a job's status is in the words of the contract", async (it) => {
    const { id } = await it.backend.submit(it.files, stepsInMemory("contract-d"));
    const status = await it.backend.status(id, signal);
    assert.equal(status.id, id);
    assert.ok(STATES.includes(status.status), status.status);
    assert.ok(status.progress === null || (status.progress >= 0 && status.progress <= 100));
    assert.equal(typeof (await it.backend.logs(id, signal)), "string");
  });

  given("a job that nobody submitted is an error that programs can read", async (it) => {
    for (const ask of [it.backend.status, it.backend.cancel, it.backend.logs]) {
      await assert.rejects(async () => ask("no-such-job", signal), PairwrightError.is);
    }
  });

  given("a model that is deployed again after its outcome was lost is the same deployment", async (it) => {
    const steps = stepsInMemory("contract-e");
    const first = await it.backend.deploy(it.deployable, steps);
    steps.forget();
    const second = await it.backend.deploy(it.deployable, steps);
    assert.equal(second.name, first.name);
    const { status } = await it.backend.deployment(first.name, signal);
    assert.ok(["unready", "ready"].includes(status), status);
  });

  given("a deployment that was taken away is gone, and may be taken away again", async (it) => {
    const { name } = await it.backend.deploy(it.deployable, stepsInMemory("contract-f"));
    const status = await it.backend.deployment(name, signal);
    for (let time = 0; time < 2; time += 1) await it.backend.undeploy(status.name, signal);
    await assert.rejects(async () => it.backend.deployment(name, signal), PairwrightError.is);
  });
}
