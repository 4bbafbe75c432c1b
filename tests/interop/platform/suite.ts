import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PythonFound } from "../python-env.ts";
import { type ConformanceReport, runConformance, tell } from "./conformance.ts";
import { type RunningPlatform, startRunningPlatform } from "./platform-process.ts";

/** A script and its sections, each with how many checks it makes at least. */
export interface Suite {
  script: string;
  sections: Record<string, number>;
  /** The packages it says it ran with. */
  versions: Record<string, RegExp>;
  /** What the script is told beside the platform's address. */
  job?: (platform: RunningPlatform) => object | Promise<object>;
}

/**
 * Tests that run these scripts, one after the other, against one platform of their own; a section is a test. With a token
 * the platform asks for it.
 */
export function describeSuites(
  client: string,
  { env, skip }: PythonFound,
  suites: readonly Suite[],
  { token }: { token?: string } = {},
): void {
  describe.skipIf(env === null)(`${client} ${skip ?? ""}`, () => {
    let platform: RunningPlatform;
    beforeAll(async () => {
      platform = await startRunningPlatform(token === undefined ? [] : ["--token", token]);
    });
    afterAll(() => platform?.[Symbol.asyncDispose]());

    describe.each(suites)("$script", ({ script, sections, versions, job }) => {
      let report: ConformanceReport;
      beforeAll(async () => {
        if (env === null) return;
        const before = platform.calls.length;
        report = await runConformance(env, script, { url: platform.url, token, ...(await job?.(platform)) });
        tell(script, report, platform.calls.slice(before));
      });
      test.each(Object.entries(sections))("%s", (name, least) => {
        const { passed = 0, failed = ["it was not run"] } = report.sections[name] ?? {};
        expect(failed).toEqual([]);
        expect(passed).toBeGreaterThanOrEqual(least);
      });
      test("nothing else was run, and with no other versions", () => {
        expect(Object.keys(report.sections)).toEqual(Object.keys(sections));
        for (const [name, version] of Object.entries(versions)) expect(report.versions[name]).toMatch(version);
      });
    });
  });
}
