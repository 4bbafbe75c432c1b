/** A line of a batch script that sbatch reads an option from: it knows quotes and backslashes as a shell does, and ends at a `#`. */
export function sbatchLine(name: string, value: string): string {
  const quoted = /^[\w./:%@-]+$/.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
  return `#SBATCH --${name}=${quoted}`;
}

/** A folder as sbatch takes it for the name of an output: it puts names of its own where a `%` is. */
export function sbatchPath(path: string): string {
  return path.replaceAll("%", "%%");
}

/** Why Slurm can write no output into a folder; undefined when it can. */
export function whyNoOutput(path: string): string | undefined {
  return path.includes("\\")
    ? `${path} has a backslash, with which Slurm puts no job's number into the name of an output`
    : undefined;
}

/** Why folders cannot be mounted into a container on Slurm; undefined when they can. */
export function whyNotMounted(folders: readonly string[]): string | undefined {
  const outside = folders.find((folder) => /[,:]/.test(folder));
  return outside === undefined
    ? undefined
    : `${outside} has a comma or a colon, by which Slurm tells the mounts of a container apart`;
}
