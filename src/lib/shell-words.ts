/** A text as one word of a POSIX shell, quoted where it has to be. */
export function shellWord(text: string): string {
  return /^[\w./:=@,%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A command as a person would type it in a POSIX shell. */
export function shellCommand(argv: readonly string[]): string {
  return argv.map(shellWord).join(" ");
}
