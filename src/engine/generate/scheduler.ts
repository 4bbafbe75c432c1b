import type { Candidate } from "./candidate.ts";
import type { Decoder } from "./decoder.ts";
import type { Job } from "./job.ts";

export interface SchedulerOptions {
  /** Candidates that run at once. */
  max_batch: number;
  /** Give each row a run of its own, so that what it computes is the same in any company. */
  rows_alone: boolean;
}

/** At most this many tokens of prompts in one run: a longer prompt is read in pieces, with steps of other texts between. */
export const PROMPT_TOKENS = 256;

/** Rows of the cache that a scheduler needs: one for each candidate, and one to read long prompts in. */
export function rowsNeeded(max_batch: number, max_length: number): number {
  return max_batch + (max_length > PROMPT_TOKENS ? 1 : 0);
}

/** A candidate in the batch: its place in the list is its row of the cache. */
interface Row {
  job: Job;
  candidate: Candidate;
}

/**
 * Continuous batching: between two steps finished candidates leave and waiting ones join. A prompt is read once for all
 * its candidates; prompts of equal length are read together. The first request in the queue is never passed over for good.
 */
export class Scheduler {
  readonly #decoder: Decoder;
  readonly #options: SchedulerOptions;
  readonly #rows: Row[] = [];
  #waiting: Job[] = [];
  /** A long prompt that is being read. */
  #reading: { job: Job; read: number } | undefined;
  #loop: Promise<void> | undefined;

  constructor(decoder: Decoder, options: SchedulerOptions) {
    this.#decoder = decoder;
    this.#options = options;
  }

  add(job: Job): void {
    this.#waiting.push(job);
    this.#loop ??= this.#run();
  }

  /** Fails what is there, and gives when nothing runs any more. */
  async stop(error: unknown): Promise<void> {
    this.#failAll(error);
    await this.#loop;
  }

  async #run(): Promise<void> {
    try {
      // What comes in the same moment is read together.
      await Promise.resolve();
      while (this.#waiting.length > 0 || this.#rows.length > 0 || this.#reading) {
        this.#dropOver();
        await this.#readPrompts();
        this.#dropOver();
        await this.#step();
      }
    } catch (error) {
      this.#failAll(error);
    } finally {
      this.#loop = undefined;
    }
  }

  #failAll(error: unknown): void {
    const jobs = [...this.#waiting, ...this.#rows.map(({ job }) => job), ...(this.#reading ? [this.#reading.job] : [])];
    for (const job of jobs) job.fail(error);
    this.#waiting = [];
    this.#rows.length = 0;
    this.#reading = undefined;
  }

  /** Takes out what is at its end or was given up. The last row moves into the place of one that leaves. */
  #dropOver(): void {
    if (this.#reading?.job.over) this.#reading = undefined;
    while (this.#waiting[0]?.over) this.#waiting.shift();
    for (let at = this.#rows.length - 1; at >= 0; at -= 1) {
      const row = this.#rows[at];
      if (row === undefined || !(row.job.over || row.candidate.finished)) continue;
      const last = this.#rows.pop();
      if (last === undefined || last === row) continue;
      this.#decoder.copy(this.#rows.length, at, last.candidate.cached);
      this.#rows[at] = last;
    }
  }

  get #free(): number {
    return this.#options.max_batch - this.#rows.length;
  }

  async #readPrompts(): Promise<void> {
    if (this.#reading) await this.#readOn(this.#reading);
    const [first] = this.#waiting;
    if (first === undefined || this.#free === 0) return;
    if (first.prompt) {
      const { cached, logits } = first.prompt;
      this.#begin(first, logits, (row) => this.#decoder.put(row, cached));
      if (!first.over && first.waiting > 0) return;
      first.prompt = undefined;
      this.#waiting.shift();
    } else if (first.request.prompt.length <= PROMPT_TOKENS) {
      await this.#readTogether(this.#equallyLong(first.request.prompt.length));
    } else if (!this.#reading) {
      this.#waiting.shift();
      this.#reading = { job: first, read: 0 };
    }
  }

  /** The requests whose prompts are read in one run, out of the queue. */
  #equallyLong(length: number): Job[] {
    const { max_batch, rows_alone } = this.#options;
    const most = rows_alone ? 1 : Math.max(1, Math.min(this.#free, Math.floor(PROMPT_TOKENS / length)));
    const jobs: Job[] = [];
    const others: Job[] = [];
    let candidates = 0;
    for (const job of this.#waiting.splice(0, 4 * max_batch)) {
      const fits = jobs.length < most && !job.over && !job.prompt && job.request.prompt.length === length;
      // The first one begins with as many candidates as there is room for; others wait until all of theirs have room.
      if (!fits || (jobs.length > 0 && candidates + job.request.n > this.#free)) {
        others.push(job);
        continue;
      }
      jobs.push(job);
      candidates += job.request.n;
    }
    this.#waiting.unshift(...others);
    return jobs;
  }

  async #readTogether(jobs: readonly Job[]): Promise<void> {
    const first = this.#rows.length;
    // Every prompt has its first candidate where it is read; others take the rows behind.
    const begun = jobs.map((job) => this.#join(job));
    const tokens = Int32Array.from(jobs.flatMap(({ request }) => request.prompt));
    const adapters = jobs.map(({ adapter }) => adapter);
    const logits = await this.#decoder.run({ first, tokens, past: new Int32Array(jobs.length), adapters });
    const { vocab_size } = this.#decoder;
    const after = jobs.map((_, at) => logits.slice(at * vocab_size, (at + 1) * vocab_size));
    for (const [at, job] of jobs.entries()) {
      const [candidate, own] = [begun[at], after[at]];
      if (candidate === undefined || own === undefined || job.over) continue;
      const length = job.request.prompt.length;
      job.advance(candidate, own.slice());
      this.#begin(job, own, (row) => this.#decoder.copy(first + at, row, length));
      if (job.over || job.waiting === 0) continue;
      job.prompt = { cached: this.#decoder.take(first + at, length), logits: own };
      this.#waiting.unshift(job);
    }
  }

  /** Begins as many of a job's candidates as there is room for; `fill` puts the prompt into a row. */
  #begin(job: Job, logits: Float32Array, fill: (row: number) => void): void {
    while (!job.over && job.waiting > 0 && this.#free > 0) {
      fill(this.#rows.length);
      job.advance(this.#join(job), logits.slice());
    }
  }

  #join(job: Job): Candidate {
    const candidate = job.begin();
    this.#rows.push({ job, candidate });
    return candidate;
  }

  /** The next piece of a long prompt, in the row behind the batch. */
  async #readOn(reading: { job: Job; read: number }): Promise<void> {
    const { job, read } = reading;
    const { prompt } = job.request;
    const row = this.#options.max_batch;
    const tokens = Int32Array.from(prompt.slice(read, read + PROMPT_TOKENS));
    const past = Int32Array.of(read);
    const logits = await this.#decoder.run({ first: row, tokens, past, adapters: [job.adapter] });
    reading.read += tokens.length;
    if (reading.read < prompt.length) return;
    this.#reading = undefined;
    if (job.over) return;
    const own = logits.slice(0, this.#decoder.vocab_size);
    job.prompt = { cached: this.#decoder.take(row, prompt.length), logits: own };
    this.#waiting.unshift(job);
  }

  async #step(): Promise<void> {
    const now = [...this.#rows];
    if (this.#options.rows_alone) {
      for (const [first, row] of now.entries()) await this.#stepOf(first, [row]);
    } else if (now.length > 0) await this.#stepOf(0, now);
  }

  async #stepOf(first: number, rows: readonly Row[]): Promise<void> {
    const tokens = Int32Array.from(rows, ({ candidate }) => candidate.last_token);
    const past = Int32Array.from(rows, ({ candidate }) => candidate.cached);
    const adapters = rows.map(({ job }) => job.adapter);
    const logits = await this.#decoder.run({ first, tokens, past, adapters });
    const { vocab_size } = this.#decoder;
    rows.forEach(({ job, candidate }, at) => {
      job.advance(candidate, logits.subarray(at * vocab_size, (at + 1) * vocab_size));
    });
  }
}
