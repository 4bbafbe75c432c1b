import { EXIT } from "../../lib/errors.ts";
import { listJobs } from "../../pipeline/jobs.ts";
import type { CommandRun } from "../command.ts";
import { jobLine, withJobs } from "../job-command.ts";
import { jobFacts } from "../job-facts.ts";

export const run: CommandRun = (input) =>
  withJobs(input, async (options) => {
    const jobs = await listJobs(options);
    input.terminal.print(jobs.length === 0 ? "there are no jobs" : jobs.map(jobLine).join("\n"));
    input.terminal.result({ jobs: jobs.map(jobFacts) });
    return EXIT.ok;
  });
