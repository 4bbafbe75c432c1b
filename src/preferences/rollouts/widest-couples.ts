import type { Couple, Member } from "./choose-pairs.ts";

/** Up to so many couples are all looked at, so that among equal gaps the nearest lengths come first. */
const FEW = 4096;

/**
 * The couples of one of `chosen` (best first) and one of `rejected` (worst first) with the widest gaps, at most `max`
 * of them, and how many there are in all. Of a hundred thousand rollouts no list of couples is made.
 */
export function widestCouples(
  chosen: readonly Member[],
  rejected: readonly Member[],
  max: number,
  isPair: (couple: Couple) => boolean,
): { couples: Couple[]; total: number } {
  if (chosen.length * rejected.length > FEW) return widestOfMany(chosen, rejected, max, isPair);
  const couples: Couple[] = [];
  for (const one of chosen) {
    for (const other of rejected) {
      const couple = coupleOf(one, other);
      if (isPair(couple)) couples.push(couple);
    }
  }
  // Of equals, the lists' own order decides: the sort is stable.
  couples.sort((a, b) => b.gap - a.gap || unlike(a) - unlike(b));
  return { couples: couples.slice(0, max), total: couples.length };
}

function widestOfMany(
  chosen: readonly Member[],
  rejected: readonly Member[],
  max: number,
  isPair: (couple: Couple) => boolean,
): { couples: Couple[]; total: number } {
  const couples: Couple[] = [];
  // Each entry is the widest couple of its row that was not taken yet: rows are opened as their turn comes.
  const open: { couple: Couple; row: number; column: number }[] = [];
  const offer = (row: number, column: number) => {
    const [one, other] = [chosen[row], rejected[column]];
    if (one !== undefined && other !== undefined) push(open, { couple: coupleOf(one, other), row, column });
  };
  offer(0, 0);
  while (couples.length < max) {
    const next = pop(open);
    if (next === undefined || !isPair(next.couple)) break;
    couples.push(next.couple);
    offer(next.row, next.column + 1);
    if (next.column === 0) offer(next.row + 1, 0);
  }
  return { couples, total: totalOf(chosen, rejected, isPair) };
}

/** Gaps shrink along both lists, so the last pair of each row lies not behind that of the row before. */
function totalOf(chosen: readonly Member[], rejected: readonly Member[], isPair: (couple: Couple) => boolean): number {
  let total = 0;
  let end = rejected.length;
  for (const one of chosen) {
    for (; end > 0; end -= 1) {
      const last = rejected[end - 1];
      if (last !== undefined && isPair(coupleOf(one, last))) break;
    }
    if (end === 0) break;
    total += end;
  }
  return total;
}

function coupleOf(chosen: Member, rejected: Member): Couple {
  return { chosen, rejected, gap: chosen.score - rejected.score };
}

function unlike({ chosen, rejected }: Couple): number {
  return Math.abs(chosen.characters - rejected.characters);
}

interface Entry {
  couple: Couple;
  row: number;
  column: number;
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.couple.gap > b.couple.gap || (a.couple.gap === b.couple.gap && (a.row - b.row || a.column - b.column) < 0);
}

/** A binary heap: the entry that is before all others is at its head. */
function push(heap: Entry[], entry: Entry): void {
  let place = heap.push(entry) - 1;
  while (place > 0) {
    const parent = (place - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || !isBefore(entry, above)) break;
    heap[place] = above;
    heap[parent] = entry;
    place = parent;
  }
}

function pop(heap: Entry[]): Entry | undefined {
  const head = heap[0];
  const last = heap.pop();
  if (head === undefined || last === undefined || heap.length === 0) return head;
  let place = 0;
  for (;;) {
    const left = place * 2 + 1;
    const [one, other] = [heap[left], heap[left + 1]];
    if (one === undefined) break;
    const [child, below] = other !== undefined && isBefore(other, one) ? [left + 1, other] : [left, one];
    if (!isBefore(below, last)) break;
    heap[place] = below;
    place = child;
  }
  heap[place] = last;
  return head;
}
