import { Column } from "../../lib/column.ts";
import { type Key, KeyTable } from "../../lib/key-table.ts";
import { UnionFind } from "../../lib/union-find.ts";
import type { Member } from "../../preferences/rollouts/choose-pairs.ts";
import type { SkipCounts } from "../../registry/training.ts";
import { FACT, FACT_WIDTH, NO_ROLLOUT, type Scanned, TRUNCATED, UNUSABLE } from "./scan.ts";

/** Where a rollout stands: its line, and which of the line's rollouts it is. */
export interface RolloutPlace {
  file: number;
  offset: number;
  length: number;
  sub: number;
  task: Key;
  /** Of what would be chosen or rejected. */
  content: Key;
  characters: number;
}

/** The columns that are kept, each under the name of its fact. */
const KEPT = ["length", "sub", "content_hi", "content_lo", "characters", "rollout", "flags"] as const;

/**
 * All rollouts as columns of numbers, by the group that they may pair within: about 80 bytes a rollout, whatever its
 * length, and 60 a group.
 */
export class RolloutTable {
  readonly #join: boolean;
  readonly #columns = Object.fromEntries(KEPT.map((name) => [name, Column.uint32()])) as Record<
    (typeof KEPT)[number],
    Column
  >;
  readonly #file = Column.uint32();
  readonly #offset = Column.float64();
  readonly #score = Column.float64();
  readonly #groupOf = Column.uint32();
  readonly #groups = new KeyTable();
  readonly #groupTask = Column.uint32();
  readonly #groupQuestion = Column.uint32();
  readonly #tasks = new KeyTable();
  readonly #questions = new KeyTable();
  readonly #groupsOfTask = Column.uint32();
  readonly #groupsOfQuestion = Column.uint32();
  /** Tasks by twice their number, and prompts by twice theirs and one: joined where they stand together. */
  readonly #together = new UnionFind();
  /** Rollouts left out, by reason. */
  readonly skipped: SkipCounts = {};
  #size = 0;
  #read = 0;

  /** `join`: equal prompts of different tasks are one group. */
  constructor(join: boolean) {
    this.#join = join;
  }

  /** Rollouts that may pair. */
  get size(): number {
    return this.#size;
  }

  /** All rollouts, unusable ones too. */
  get read(): number {
    return this.#read;
  }

  get groups(): number {
    return this.#groups.size;
  }

  /** All tasks, those without a usable rollout too. */
  get tasks(): number {
    return this.#tasks.size;
  }

  add({ rollouts, facts, places }: Scanned, file: number): void {
    this.#read += rollouts;
    for (let one = 0; one < rollouts; one += 1) {
      const at = one * FACT_WIDTH;
      const fact = (name: keyof typeof FACT) => facts[at + FACT[name]] ?? 0;
      const task = this.#tasks.add(fact("task_hi"), fact("task_lo"));
      const reason = UNUSABLE[(fact("flags") & 0xff) - 1];
      if (reason !== undefined) {
        this.skipped[reason] = (this.skipped[reason] ?? 0) + 1;
        continue;
      }
      const place = this.#size;
      this.#size += 1;
      this.#groupOf.set(place, this.#place(task, fact));
      for (const name of KEPT) this.#columns[name].set(place, fact(name));
      this.#file.set(place, file);
      this.#offset.set(place, places[one * 2] ?? 0);
      this.#score.set(place, places[one * 2 + 1] ?? Number.NaN);
    }
  }

  /** The group of a rollout of this task. */
  #place(task: number, fact: (name: keyof typeof FACT) => number): number {
    const hi = fact("question_hi");
    const lo = fact("question_lo");
    const question = this.#questions.add(hi, lo);
    this.#together.join(task * 2, question * 2 + 1);
    const before = this.#groups.size;
    const group = this.#join
      ? this.#groups.add(hi, lo)
      : this.#groups.add(Math.imul(fact("task_hi"), 0x9e3779b1) + hi, Math.imul(fact("task_lo"), 0x85ebca6b) + lo);
    if (group === before) {
      this.#groupTask.set(group, task);
      this.#groupQuestion.set(group, question);
      this.#groupsOfTask.set(task, this.#groupsOfTask.get(task) + 1);
      this.#groupsOfQuestion.set(question, this.#groupsOfQuestion.get(question) + 1);
    }
    return group;
  }

  /** Why a rollout is alone in its group. */
  whyAlone(group: number): "different_prompt" | "different_task" | "single_rollout" {
    if (this.#groupsOfTask.get(this.#groupTask.get(group)) > 1) return "different_prompt";
    return this.#groupsOfQuestion.get(this.#groupQuestion.get(group)) > 1 ? "different_task" : "single_rollout";
  }

  /**
   * Gives each group a text that is the same for groups that share a task or a prompt, over however many others: what
   * must stay on one side of a split. It is the least key of their tasks, so the order of the rollouts does not decide.
   */
  clusters(): (group: number) => string {
    const least = new Map<number, number>();
    const isLess = (a: number, b: number) => {
      const [one, other] = [this.#tasks.keyAt(a), this.#tasks.keyAt(b)];
      return one.hi < other.hi || (one.hi === other.hi && one.lo < other.lo);
    };
    for (let task = 0; task < this.#tasks.size; task += 1) {
      const root = this.#together.find(task * 2);
      const known = least.get(root);
      if (known === undefined || isLess(task, known)) least.set(root, task);
    }
    return (group) => {
      const task = this.#groupTask.get(group);
      const { hi, lo } = this.#tasks.keyAt(least.get(this.#together.find(task * 2)) ?? task);
      return `${hi.toString(16)}-${lo.toString(16)}`;
    };
  }

  placeOf(rollout: number): RolloutPlace {
    const { length, sub, content_hi, content_lo, characters } = this.#columns;
    return {
      file: this.#file.get(rollout),
      offset: this.#offset.get(rollout),
      length: length.get(rollout),
      sub: sub.get(rollout),
      task: this.#tasks.keyAt(this.#groupTask.get(this.#groupOf.get(rollout))),
      content: { hi: content_hi.get(rollout), lo: content_lo.get(rollout) },
      characters: characters.get(rollout),
    };
  }

  /** The key of a rollout's prompt and tools. */
  questionOf(rollout: number): Key {
    return this.#questions.keyAt(this.#groupQuestion.get(this.#groupOf.get(rollout)));
  }

  groupOf(rollout: number): number {
    return this.#groupOf.get(rollout);
  }

  memberOf(at: number): Member {
    const { content_hi, content_lo, characters, rollout, flags } = this.#columns;
    const number = rollout.get(at);
    return {
      at,
      score: this.#score.get(at),
      characters: characters.get(at),
      content: `${content_hi.get(at).toString(36)} ${content_lo.get(at).toString(36)}`,
      truncated: (flags.get(at) & TRUNCATED) !== 0,
      rollout: number === NO_ROLLOUT ? undefined : number,
    };
  }

  /** The rollouts of each group, groups and rollouts in the order in which they first came. */
  *inGroups(): Generator<{ group: number; members: Member[] }> {
    const starts = new Uint32Array(this.groups + 1);
    for (let place = 0; place < this.#size; place += 1) {
      const next = this.#groupOf.get(place) + 1;
      starts[next] = (starts[next] ?? 0) + 1;
    }
    for (let group = 0; group < this.groups; group += 1) {
      starts[group + 1] = (starts[group + 1] ?? 0) + (starts[group] ?? 0);
    }
    const order = new Uint32Array(this.#size);
    const next = starts.slice();
    for (let place = 0; place < this.#size; place += 1) {
      const group = this.#groupOf.get(place);
      order[next[group] ?? 0] = place;
      next[group] = (next[group] ?? 0) + 1;
    }
    for (let group = 0; group < this.groups; group += 1) {
      const members: Member[] = [];
      for (const place of order.subarray(starts[group] ?? 0, starts[group + 1] ?? 0))
        members.push(this.memberOf(place));
      yield { group, members };
    }
  }
}
