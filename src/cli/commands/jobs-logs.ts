import { EXIT } from "../../lib/errors.ts";
import { jobLogs } from "../../pipeline/jobs.ts";
import type { CommandRun } from "../command.ts";
import { withJobs } from "../job-command.ts";

export const run: CommandRun = (input) =>
  withJobs(input, async (options) => {
    const logs = await jobLogs(input.args[0] ?? "", options);
    input.terminal.print(logs === "" ? "the job has no logs yet" : logs);
    input.terminal.result({ logs });
    return EXIT.ok;
  });
