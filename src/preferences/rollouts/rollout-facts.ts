import { canonicalJson, sha256 } from "../../lib/hash.ts";
import { type Key, keyOfHex } from "../../lib/key-table.ts";
import type { Message, Tool } from "../../records/message.ts";
import { textOf } from "../../records/message-text.ts";
import { messagesOf } from "../../records/messages-of.ts";
import type { RolloutRecord, RolloutState } from "../../records/rollout.ts";
import type { RolloutReader } from "../../registry/training.ts";
import { contentOf, questionOf, sameContent, sameTools } from "../content.ts";
import { type CompletionMode, charactersOf, type NoSide, sideOf } from "./completion.ts";
import { fieldAt } from "./field-at.ts";
import { charactersWritten, PlainReader, type PlainRollout, type WrittenIn } from "./plain-rollout.ts";
import { type RewardExpression, scoreOf } from "./reward-expression.ts";

/** How a rollout is looked at. */
export interface FactOptions {
  completion: CompletionMode;
  reward?: RewardExpression | undefined;
  /** A reward of at least this passes, a lower one fails: 1 and 0 stand for them. */
  pass_threshold?: number | undefined;
  /** Paths of the fields that name a task, instead of what the reader knows. */
  task_key?: readonly string[] | undefined;
  /** The path of the field that holds the prompt of a row whose own prompt is empty. */
  prompt_from?: string | undefined;
}

/** Why a rollout stands in no pair. */
export type Unusable = Exclude<RolloutState, "completed" | "truncated"> | NoSide | "empty_prompt" | "unscored";

/** What must be known of a rollout to choose pairs without its texts. */
export interface RolloutFacts {
  task: Key;
  /** Equal for equal prompts under equal tools. */
  question: Key;
  unusable: Unusable | undefined;
  /** NaN when unusable. */
  score: number;
  /** Of what would be chosen or rejected. */
  content: Key;
  characters: number;
  truncated: boolean;
  rollout: number | undefined;
}

const NO_KEY: Key = { hi: 0, lo: 0 };
/** What stands around a user's text in the JSON of a prompt that is nothing else. */
const BEFORE = Buffer.from('[{"content":"');
const AFTER = Buffer.from('","role":"user"}]');

/** Looks at rollouts one after another; remembers the last prompt, which mostly comes again. */
export class RolloutLooker {
  readonly #options: FactOptions;
  /** Of plain rollouts: what is hashed of the last prompt. */
  #asked: { content: Buffer; key: Key } | undefined;
  #question: { prompt: readonly Message[]; tools: readonly Tool[] | undefined; key: Key } | undefined;
  #task: { text: string; key: Key } | undefined;

  constructor(options: FactOptions) {
    this.#options = options;
  }

  factsOf(rollout: RolloutRecord, row: unknown): RolloutFacts {
    const { completion, reward } = this.#options;
    const prompt = promptOf(rollout, row, this.#options);
    const question = this.#questionKey(prompt, rollout.tools);
    const facts = this.#factsOf(rollout, taskOf(rollout, row, this.#options), question);
    if (rollout.state !== "completed" && rollout.state !== "truncated") return { ...facts, unusable: rollout.state };
    if (isEmptyPrompt(prompt)) return { ...facts, unusable: "empty_prompt" };
    const side = sideOf(rollout.completion, completion);
    if (typeof side === "string") return { ...facts, unusable: side };
    const score = scoreOf(rollout, row, reward);
    if (score === null) return { ...facts, unusable: "unscored" };
    facts.score = this.#passed(score);
    facts.content = keyOfHex(sha256(completion === "text" ? asWritten(side.text) : contentOf(side.messages)));
    facts.characters = charactersOf(side.messages);
    return facts;
  }

  /** The same of a plain rollout. */
  plainFactsOf(rollout: PlainRollout): RolloutFacts {
    const { asked, said } = rollout;
    const facts = this.#factsOf(rollout, rollout.task, this.#askedKey(asked));
    const score = scoreOf(rollout, undefined, undefined);
    if (score === null) return { ...facts, unusable: "unscored" };
    facts.score = this.#passed(score);
    facts.content = keyOfHex(sha256(said.bytes.subarray(said.start, said.end)));
    facts.characters = charactersWritten(said);
    return facts;
  }

  /** What `#questionKey` gives for a user's message with this text. */
  #askedKey({ bytes, start, end }: WrittenIn): Key {
    const last = this.#asked;
    if (last?.content.length === BEFORE.length + end - start + AFTER.length) {
      if (bytes.compare(last.content, BEFORE.length, BEFORE.length + end - start, start, end) === 0) return last.key;
    }
    const content = Buffer.concat([BEFORE, bytes.subarray(start, end), AFTER]);
    this.#asked = { content, key: keyOfHex(sha256(content)) };
    return this.#asked.key;
  }

  #factsOf(rollout: RolloutRecord, task: string | undefined, question: Key): RolloutFacts {
    return {
      task: this.#taskKey(task, rollout.variant, question),
      question,
      unusable: undefined,
      score: Number.NaN,
      content: NO_KEY,
      characters: 0,
      truncated: rollout.state === "truncated",
      rollout: rollout.rollout,
    };
  }

  #passed(score: number): number {
    const { pass_threshold } = this.#options;
    return pass_threshold === undefined ? score : score >= pass_threshold ? 1 : 0;
  }

  #questionKey(prompt: readonly Message[], tools: readonly Tool[] | undefined): Key {
    const last = this.#question;
    // To compare texts is far quicker than to write them out.
    if (last !== undefined && sameContent(last.prompt, prompt) && sameTools(last.tools, tools)) return last.key;
    const key = keyOfHex(sha256(questionOf(prompt, tools)));
    this.#question = { prompt, tools, key };
    return key;
  }

  /** Tries at a task without a name are known by what they were asked, and by what else tells tasks apart. */
  #taskKey(task: string | undefined, variant: string | undefined, question: Key): Key {
    if (task === undefined && variant === undefined) return question;
    const text = `${task ?? `${question.hi} ${question.lo}`} ${variant ?? ""}`;
    if (this.#task?.text !== text) this.#task = { text, key: keyOfHex(sha256(text)) };
    return this.#task.key;
  }
}

/** A text as JSON has it, without its quotes: plain rollouts are hashed as they are written. */
function asWritten(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Who reads plain rollouts, where these tell all that is asked for and their reader knows them. */
export function plainReader(reader: RolloutReader, options: FactOptions): PlainReader | undefined {
  const { completion, reward, task_key, prompt_from } = options;
  const isAll = completion === "text" && (reward ?? task_key ?? prompt_from) === undefined;
  return isAll && reader.plain !== undefined ? new PlainReader(reader, reader.plain) : undefined;
}

/** The name of a rollout's task: by the fields that were asked for, else as the reader has it. */
export function taskOf(rollout: RolloutRecord, row: unknown, { task_key }: FactOptions): string | undefined {
  if (task_key === undefined) return rollout.task;
  const values = task_key.map((path) => fieldAt(row, path) ?? null);
  return values.every((value) => value === null) ? rollout.task : canonicalJson(values);
}

/** The prompt of a rollout; where there is none, that of the field that was named for it. */
export function promptOf(rollout: RolloutRecord, row: unknown, { prompt_from }: FactOptions): Message[] {
  if (prompt_from === undefined || !isEmptyPrompt(rollout.prompt)) return rollout.prompt;
  return messagesOf(fieldAt(row, prompt_from), "user") ?? rollout.prompt;
}

function isEmptyPrompt(prompt: readonly Message[]): boolean {
  return prompt.every((message) => typeof message.content === "string" && textOf(message).trim() === "");
}
