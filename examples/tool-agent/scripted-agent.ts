import { createHash } from "node:crypto";
import type { Message, ToolCall } from "pairwright";
import { calculate, formatNumber } from "./calculator.ts";
import { type Facts, lookUp } from "./facts.ts";

/** A row of the data, with the working that only this script may see. */
export interface Problem {
  id: string;
  question: string;
  answer: number;
  /** A sum in which `[rye loaf]` stands for what the table says of it. */
  working: string;
}

/** What the script says: a final text, or calls of tools. */
export type Scripted = string | { content: string; tool_calls: ToolCall[] };

const FACT = /\[([^\]]+)\]/g;
/** How many of 12 attempts go which way. */
const MANNERS = [
  ...Array<"careful">(4).fill("careful"),
  ...Array<"careless">(2).fill("careless"),
  ...Array<"guess">(2).fill("guess"),
  ...Array<"by_head">(2).fill("by_head"),
  "clumsy",
  "lost",
] as const;

/**
 * Plays the part of a model that calls tools, by rote: it knows the working of every problem and reads the rest out of
 * the tools' results. **It is not a model** and learns nothing. Which of its manners an attempt has follows from the
 * problem and the seed: careful, careless (a wrong sum), a guess or a right answer without any tool, clumsy (calls that
 * cannot be done first), or lost (never answers).
 */
export function scriptedAgent(problems: readonly Problem[], facts: Facts) {
  return (messages: readonly Message[], seed = 0): Scripted => {
    const said = messages.findIndex(({ role }) => role === "user");
    const problem = problems.find(({ question }) => question === messages[said]?.content);
    if (problem === undefined) throw new Error("the script knows no such problem");
    const draw = below(problem.id, seed);
    const manner = MANNERS[draw(MANNERS.length, 0)] ?? "careful";
    const history = messages.slice(said + 1);
    const step = history.filter(({ role }) => role === "assistant").length;
    const call = caller(seed, step);
    const answer = (value: number) => answerIn(draw(3, 1), value);

    const right = calculate(workedOut(problem.working, (name) => valueIn(lookUp(facts, name))));
    if (manner === "by_head") return answer(right);
    if (manner === "guess") return answer(right + 1 + draw(9, 2));
    if (manner === "lost") return call("", ["calculate", `{"expression": "${step} + ${1 + draw(50, 2)}"}`]);
    if (manner === "clumsy" && step < 2) {
      return step === 0
        ? call("", ["calculate", "{expression: 1 + 1"])
        : call("", ["web_search", '{"query": "prices"}']);
    }

    const names = [...problem.working.matchAll(FACT)].map(([, name = ""]) => name);
    const known = new Map(names.flatMap((name) => factIn(history, name)));
    if (known.size < new Set(names).size) {
      return call("First the facts.", ...names.map((name): [string, string] => ["look_up", JSON.stringify({ name })]));
    }
    const last = history.at(-1);
    if (last?.role === "tool" && /^-?[\d.]+$/.test(String(last.content))) return answer(Number(last.content));
    const working = manner === "careless" ? slip(problem.working) : problem.working;
    const expression = workedOut(working, (name) => known.get(name) ?? 0);
    return call("", ["calculate", JSON.stringify({ expression })]);
  };
}

/** The first sign that is no mark of a negative number becomes another one. */
function slip(working: string): string {
  const other: Record<string, string> = { "*": "+", "/": "*", "+": "-", "-": "+" };
  return working.replace(/ ([-+*/]) /, (_, sign: string) => ` ${other[sign]} `);
}

function workedOut(working: string, lookedUp: (name: string) => number): string {
  return working.replace(FACT, (_, name: string) => formatNumber(lookedUp(name)));
}

/** What a result of `look_up` in the conversation says of a thing: as an entry, or as none. */
function factIn(history: readonly Message[], name: string): [string, number][] {
  const told = history.find(({ role, content }) => role === "tool" && String(content).startsWith(`${name}: `));
  return told === undefined ? [] : [[name, valueIn(String(told.content))]];
}

function valueIn(fact: string): number {
  return Number(/: (-?[\d.]+) /.exec(fact)?.[1]);
}

function answerIn(words: number, value: number): string {
  const before = ["So that is it.", "The result is ready.", "All worked out."][words] ?? "";
  return `${before}\nAnswer: ${formatNumber(value)}`;
}

function caller(seed: number, step: number) {
  return (content: string, ...calls: [name: string, given: string][]): Scripted => ({
    content,
    tool_calls: calls.map(([name, given], index) => ({
      id: `call_${seed}_${step}_${index}`,
      type: "function",
      function: { name, arguments: given },
    })),
  });
}

function below(id: string, seed: number): (limit: number, at: number) => number {
  const digest = createHash("sha256")
    .update(JSON.stringify([id, seed]))
    .digest();
  return (limit, at) => digest.readUInt32BE(at * 4) % limit;
}
