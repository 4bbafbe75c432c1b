import type { RepoFile } from "../datastore/datastore.ts";

/** A file of rows: its name for messages, and where its bytes lie. */
export interface RowFile {
  name: string;
  path: string;
}

/**
 * Which files of a data set are trained on and which are for validation: `training/*.jsonl` and `validation/*.jsonl`;
 * where there is none, the looser forms that the service's successor reads too: folders `train`, `val`, `dev`, files that
 * begin with such a word, and a lone file.
 */
export function datasetLayout(files: readonly RepoFile[], folder: string) {
  const before = folder === "" ? "" : `${folder}/`;
  const inside = files
    .filter(({ path }) => path === folder || path.startsWith(before))
    .map((file) => ({ file, local: file.path === folder ? folder : file.path.slice(before.length) }))
    .filter(({ local }) => /\.jsonl?$/i.test(local))
    .sort((a, b) => (a.local < b.local ? -1 : 1));
  const matching = (pattern: RegExp) => inside.filter(({ local }) => pattern.test(local)).map(({ file }) => file);
  const first = (...patterns: RegExp[]) => patterns.map(matching).find((found) => found.length > 0) ?? [];
  const validation = first(
    /^validation\/.*\.jsonl$/i,
    /^(val|validation|dev)\/.*\.jsonl?$/i,
    /^(val|validation|dev)[^/]*\.jsonl?$/i,
  );
  const training = first(/^training\/.*\.jsonl$/i, /^train(ing)?\/.*\.jsonl?$/i, /^train(ing)?[^/]*\.jsonl?$/i);
  const [lone, ...others] = inside;
  if (training.length === 0 && validation.length === 0 && lone !== undefined && others.length === 0) {
    return { training: [lone.file], validation };
  }
  return { training, validation };
}
