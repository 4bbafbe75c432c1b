import { EXIT } from "../../lib/errors.ts";
import { describeJob } from "../../pipeline/finetune/run-job.ts";
import { jobFault } from "../../pipeline/finetune/train.ts";
import { waitForAnyJob } from "../../pipeline/jobs.ts";
import type { CommandRun } from "../command.ts";
import { jobLine, withJobs } from "../job-command.ts";
import { jobFacts } from "../job-facts.ts";

export const run: CommandRun = (input) =>
  withJobs(input, async (options) => {
    const { terminal, args } = input;
    const waited = await waitForAnyJob(args[0] ?? "", options);
    if ("job" in waited) {
      const fault = jobFault(waited.job);
      terminal.print(jobLine(waited.job));
      if (fault) terminal.fault(fault);
      terminal.result({ ...jobFacts(waited.job), ...(fault && { error: { code: fault.code, what: fault.what } }) });
      return fault?.exit_code ?? EXIT.ok;
    }
    const { job, fault, stopped } = waited.run;
    if (job !== undefined) terminal.print(describeJob(job));
    if (fault) terminal.fault(fault);
    terminal.result({
      ...(job && { ...jobFacts(job), deployment: job.deployment }),
      ...(fault && { error: { code: fault.code, where: fault.where, what: fault.what, fix: fault.fix } }),
    });
    return stopped ? EXIT.interrupted : (fault?.exit_code ?? EXIT.ok);
  });
