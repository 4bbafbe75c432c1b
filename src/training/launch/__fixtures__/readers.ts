/** How the programs that read what a launch writes read it, as far as it matters here. */

/** The options of a batch script, as `_get_argument` of Slurm's sbatch reads them. */
export function sbatchOptions(script: string): string[] {
  return script.split("\n").flatMap((line) => (line.startsWith("#SBATCH ") ? sbatchWords(line.slice(8)) : []));
}

function sbatchWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < line.length; at += 1) {
    const letter = line[at]!;
    if (letter === "\\") {
      at += 1;
      word = (word ?? "") + (line[at] ?? "");
    } else if (quote !== "") {
      if (letter === quote) quote = "";
      else word = (word ?? "") + letter;
    } else if (letter === '"' || letter === "'") {
      quote = letter;
    } else if (letter === "#") {
      break;
    } else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + letter;
  }
  if (quote !== "") throw new Error(`an unmatched ${quote} in ${line}`);
  return word === undefined ? words : [...words, word];
}

/** The line that `ray job submit` hands to a shell: `subprocess.list2cmdline` of Python. */
export function rayLine(words: readonly string[]): string {
  return words
    .map((word) => {
      const escaped = word.replace(/(\\*)"/g, '$1$1\\"');
      return word === "" || /[ \t]/.test(word) ? `"${escaped.replace(/(\\+)$/, "$1$1")}"` : escaped;
    })
    .join(" ");
}

/** A word of a container's command, in which Kubernetes has put its variables. */
export function kubernetesWord(word: string, variables: Readonly<Record<string, string>>): string {
  return word.replace(/\$\$|\$\(([^)]*)\)/g, (found, name: string | undefined) =>
    found === "$$" ? "$" : (variables[name ?? ""] ?? found),
  );
}
