import { EXIT } from "../../lib/errors.ts";
import { cancelJob } from "../../pipeline/jobs.ts";
import type { CommandRun } from "../command.ts";
import { jobLine, withJobs } from "../job-command.ts";
import { jobFacts } from "../job-facts.ts";

export const run: CommandRun = (input) =>
  withJobs(input, async (options) => {
    const job = await cancelJob(input.args[0] ?? "", options);
    input.terminal.print(jobLine(job));
    input.terminal.result(jobFacts(job));
    return EXIT.ok;
  });
