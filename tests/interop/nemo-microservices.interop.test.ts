import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ConformanceReport, runConformance, tell } from "./platform/conformance.ts";
import { type RunningPlatform, startRunningPlatform } from "./platform/platform-process.ts";
import { pythonEnv } from "./python-env.ts";

const { env, skip } = await pythonEnv("requirements-toolkit.txt");

/** What each script checks, and how often at least. */
const SUITES = {
  "entity_client.py": {
    namespaces: 12,
    projects: 8,
    datasets: 9,
    models: 17,
    "pages, sorts, filters, searches": 17,
    errors: 30,
    "the asynchronous client": 4,
  },
};

describe.skipIf(env === null)(`nemo-microservices 1.5 ${skip ?? ""}`, () => {
  let platform: RunningPlatform;
  beforeAll(async () => {
    platform = await startRunningPlatform();
  });
  afterAll(() => platform[Symbol.asyncDispose]());

  describe.each(Object.entries(SUITES))("%s", (script, sections) => {
    let report: ConformanceReport;
    beforeAll(async () => {
      const before = platform.calls.length;
      report = await runConformance(env!, script, { url: platform.url });
      tell(script, report, platform.calls.slice(before));
    });
    test.each(Object.entries(sections))("%s", (name, least) => {
      const { passed, failed } = report.sections[name]!;
      expect(failed).toEqual([]);
      expect(passed).toBeGreaterThanOrEqual(least);
    });
    test("nothing else was run", () => {
      expect(Object.keys(report.sections)).toEqual(Object.keys(sections));
    });
  });
});
