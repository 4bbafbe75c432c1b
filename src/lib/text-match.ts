const LEADING = new Set(" \"'`«»„“”‘’‚‹›*_~([{¿¡");
const TRAILING = new Set(" \"'`«»„“”‘’‚‹›*_~)]}.,;:!?。、");
const SPACES = /\s+/gu;

/**
 * A text in the form in which two answers are compared: compatibility forms made one (NFKC), case folded, runs of white
 * space made one space, and quotes, brackets, emphasis marks and closing punctuation taken off both ends. Articles stay:
 * "A" may be the answer. Signs that mean something (`-5`, `5%`, `.5`, `$5`) stay too. A text of nothing but punctuation
 * is kept as it is, so that "?" and "!" differ.
 */
export function normaliseText(text: string): string {
  // Upper case first: that is what brings ß to ss and both small sigmas to one.
  const folded = text.normalize("NFKC").toUpperCase().toLowerCase().replace(SPACES, " ").trim();
  let start = 0;
  let end = folded.length;
  while (start < end && LEADING.has(folded.charAt(start))) start += 1;
  while (end > start && TRAILING.has(folded.charAt(end - 1))) end -= 1;
  return start === end ? folded : folded.slice(start, end);
}

const NUMBER = /^([+-]?)(\d{1,3}(?:,\d{3})+|\d*)(?:\.(\d*))?(?:e([+-]?\d{1,6}))?$/;

/**
 * One spelling for each decimal number, or `undefined` when the text is not a number and nothing else: `12`, `+12.0`,
 * `012` and `1.2e1` are equal, `1,200` is 1200, `12 apples` is none. Digits are compared, not doubles, so that long
 * numbers differ when one digit does.
 */
export function canonicalNumber(text: string): string | undefined {
  const plain = normaliseText(text).replace(/^[\u2212\u2013]/u, "-");
  const [, sign, whole, fraction = "", exponent = "0"] = NUMBER.exec(plain) ?? [];
  if (whole === undefined || (whole === "" && fraction === "")) return undefined;
  const written = whole.replaceAll(",", "") + fraction;
  const leading = written.replace(/^0+/, "");
  const digits = trimZeros(leading);
  if (digits === "") return "0";
  const power = Number(exponent) - fraction.length + (leading.length - digits.length);
  return `${sign === "-" ? "-" : ""}${digits}e${power}`;
}

// A loop, not /0+$/, which takes quadratic time on long runs of zeros that do not stand at the end.
function trimZeros(digits: string): string {
  let end = digits.length;
  while (digits[end - 1] === "0") end -= 1;
  return digits.slice(0, end);
}
