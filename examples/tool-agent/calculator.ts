import { PairwrightError } from "pairwright";

/** Enough for any honest sum, and a bound on how deep the parser can go. */
const MAX_CHARACTERS = 500;
const SPELLINGS: Record<string, string> = { "×": "*", "·": "*", "÷": "/", "−": "-" };
const TOKEN = /\s*(?:(\d+(?:\.\d*)?|\.\d+)|([-+*/()]))/y;

interface Token {
  /** A number, or one of `+ - * / ( )`. */
  text: string;
  /** Of its first character, from 1. */
  position: number;
}

/**
 * The value of a sum: decimal numbers, `+ - * /`, parentheses and signs, with the usual precedence. Nothing is evaluated
 * as code. Anything else throws with a sentence that is fit for the model that wrote it.
 */
export function calculate(expression: string): number {
  const tokens = tokensOf(expression);
  let at = 0;
  const peek = () => tokens[at]?.text;

  function sum(): number {
    let value = product();
    for (let sign = peek(); sign === "+" || sign === "-"; sign = peek()) {
      at += 1;
      value = sign === "+" ? value + product() : value - product();
    }
    return value;
  }

  function product(): number {
    let value = factor();
    for (let sign = peek(); sign === "*" || sign === "/"; sign = peek()) {
      at += 1;
      const right = factor();
      if (sign === "/" && right === 0) throw fault("division by zero");
      value = sign === "*" ? value * right : value / right;
    }
    return value;
  }

  function factor(): number {
    const token = tokens[at];
    if (token === undefined) throw fault("the expression ends where a number should stand");
    at += 1;
    if (token.text === "-") return -factor();
    if (token.text === "+") return factor();
    if (token.text === "(") {
      const value = sum();
      if (peek() !== ")") throw fault(`the parenthesis at position ${token.position} is never closed`);
      at += 1;
      return value;
    }
    const value = Number(token.text);
    if (Number.isNaN(value)) throw unexpected(token);
    return value;
  }

  const value = sum();
  const rest = tokens[at];
  if (rest !== undefined) throw unexpected(rest);
  if (!Number.isFinite(value)) throw fault("the result is too large");
  return value;
}

/** Rounded to 12 digits, which takes away what binary fractions add to 0.1 + 0.2. */
export function formatNumber(value: number): string {
  return String(Number(value.toPrecision(12)));
}

function tokensOf(expression: string): Token[] {
  if (expression.length > MAX_CHARACTERS) throw fault(`the expression is longer than ${MAX_CHARACTERS} characters`);
  const text = expression.replace(/[×·÷−]/g, (sign) => SPELLINGS[sign] ?? sign).trimEnd();
  const tokens: Token[] = [];
  const next = new RegExp(TOKEN);
  while (next.lastIndex < text.length) {
    const from = next.lastIndex;
    const [, number, sign] = next.exec(text) ?? [];
    const token = number ?? sign;
    if (token === undefined) {
      const position = from + text.slice(from).search(/\S/);
      throw unexpected({ text: text.charAt(position), position: position + 1 });
    }
    tokens.push({ text: token, position: next.lastIndex - token.length + 1 });
  }
  return tokens;
}

function unexpected({ text, position }: Token): PairwrightError {
  return fault(`unexpected "${text}" at position ${position}; there are numbers, + - * / and parentheses only`);
}

function fault(what: string): PairwrightError {
  return new PairwrightError({ code: "bad_expression", where: "calculate", what });
}
